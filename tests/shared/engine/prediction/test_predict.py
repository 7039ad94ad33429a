import csv
import errno
import io
import os
import shutil

import numpy as np
import pytest

from shared.common.errors import KerasuiteError
from shared.common.inputs import find_inputs
from shared.engine.prediction.append_log import AppendLog
from shared.engine.prediction.predict import predict
from shared.engine.saved_model.loaded_model import fingerprint
from tests.shared.engine.prediction import predict_helpers as helpers
from tests.shared.engine.prediction.predict_support import (
    QUIET,
    Spy,
    almost,
    rows,
    tree,
)

# Results


@pytest.mark.parametrize("kind", ["text", "bucket", "file"])
def test_every_input_has_one_line_in_order(model, inputs, tmp_path, kind):
    output = tmp_path / "out"
    summary = helpers.run(model, inputs, output, kind, **QUIET)
    paths = sorted(inputs.rglob("*.txt"))
    good = [p for p in paths if not p.read_bytes().startswith((b"host", b"graph"))]
    bad = [p for p in paths if p not in good]
    found = rows(output / "predictions.jsonl")
    assert [row["file"] for row in found] == [p.relative_to(inputs).as_posix() for p in good]
    assert [row["length"] for row in found] == [len(p.read_bytes()) for p in good]
    assert [row["upper"] for row in found] == [p.read_text().upper() for p in good]
    errors = rows(output / "errors.jsonl")
    assert [row["file"] for row in errors] == [p.relative_to(inputs).as_posix() for p in bad]
    assert {row["error"].partition(": ")[2] for row in errors} == {
        "rejected by the reader",
        "[bad content]",
    }
    # Whoever reads the results need not know where the inputs were.
    assert not any(str(inputs) in row["error"] for row in errors)
    assert (summary.done, summary.rejected, summary.skipped) == (len(good), len(bad), 0)
    expected = {"predictions.jsonl", "errors.jsonl", "predict.json"}
    if kind == "file":
        expected.add(".written")
        for path in good:
            name = path.relative_to(inputs).as_posix()
            expected.add(f"upper/{name}")
            written = (output / "upper" / name).read_bytes()
            assert written == path.read_bytes().upper() * 500
    assert set(tree(output)) == expected
    assert not (output / ".partial-predict").exists()


def test_no_errors_no_errors_file(model, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.txt").write_bytes(b"a")
    helpers.run(model, tmp_path / "in", tmp_path / "out", **QUIET)
    assert set(tree(tmp_path / "out")) == {"predictions.jsonl", "predict.json"}


def test_all_bad(model, tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(20):
        (tmp_path / f"in/{number}.txt").write_bytes(b"graph" if number % 2 else b"host")
    summary = helpers.run(model, tmp_path / "in", tmp_path / "out", **QUIET)
    assert (summary.done, summary.rejected) == (0, 20)
    assert (tmp_path / "out/predictions.jsonl").read_bytes() == b""
    assert len(rows(tmp_path / "out/errors.jsonl")) == 20


def test_csv(model, inputs, tmp_path):
    helpers.run(model, inputs, tmp_path / "json", **QUIET)
    helpers.run(model, inputs, tmp_path / "csv", format="csv", **QUIET)
    with open(tmp_path / "csv/predictions.csv", newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    expected = rows(tmp_path / "json/predictions.jsonl")
    assert [row["file"] for row in found] == [row["file"] for row in expected]
    assert [float(row["score"]) for row in found] == [row["score"] for row in expected]
    assert [row["upper"] for row in found] == [row["upper"] for row in expected]
    both = tree(tmp_path / "csv")
    del both["predictions.csv"]
    assert both == tree(tmp_path / "json")


def test_csv_columns_are_those_of_all_rows(model, inputs, tmp_path):
    class Uneven(helpers.TextPredictor):
        def record(self, source, outputs):
            if source.name.startswith("0"):
                return {"score": float("nan"), "names": ["a", 'b "c"']}
            return {"names": [], "first\nline": True, "text": "a,\r\nb", "formula": "=1+1"}

    for format in ("jsonl", "csv"):
        predict(model, find_inputs([inputs]), Uneven(), tmp_path / format, format=format, **QUIET)
    with open(tmp_path / "csv/predictions.csv", newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert list(found[0]) == ["file", "score", "names", "first\nline", "text", "formula"]
    assert list(found[0].values())[1:] == ["", '["a", "b \\"c\\""]', "", "", ""]
    assert list(found[-1].values())[1:] == ["", "[]", "true", "a,\r\nb", "'=1+1"]
    assert [row["file"] for row in found] == [
        row["file"] for row in rows(tmp_path / "jsonl/predictions.jsonl")
    ]


def test_csv_of_no_predictions_is_empty(model, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.txt").write_bytes(b"host")
    helpers.run(model, tmp_path / "in", tmp_path / "out", format="csv", **QUIET)
    assert (tmp_path / "out/predictions.csv").read_bytes() == b""


def test_shards_make_the_whole(model, inputs, tmp_path):
    helpers.run(model, inputs, tmp_path / "whole", "file", **QUIET)
    for shard in ("1/3", "2/3", "3/3"):
        helpers.run(model, inputs, tmp_path / "parts", "file", shard=shard, **QUIET)
    for name in ("predictions", "errors"):
        parts = [rows(tmp_path / f"parts/{name}-{k}-of-3.jsonl") for k in (1, 2, 3)]
        whole = rows(tmp_path / f"whole/{name}.jsonl")
        parts = sorted(sum(parts, []), key=lambda r: r["file"].split("/"))
        assert parts == almost(whole)
    written = {n: c for n, c in tree(tmp_path / "parts").items() if n.startswith("upper/")}
    assert written.items() <= tree(tmp_path / "whole").items()
    assert len(written) == len(rows(tmp_path / "whole/predictions.jsonl"))


def test_buckets_hold_similar_sizes(model, tmp_path):
    (tmp_path / "in").mkdir()
    sizes = np.random.default_rng(0).permutation(48)
    for number, size in enumerate(sizes):
        (tmp_path / f"in/{number:02d}.txt").write_bytes(b"x" * int(size))
    spy = Spy()
    predict(model, find_inputs([tmp_path / "in"]), spy, tmp_path / "out", **QUIET)
    windows = [sorted(int(s) for s in sizes[:24]), sorted(int(s) for s in sizes[24:])]
    assert spy.batches == [window[i : i + 8] for window in windows for i in (0, 8, 16)]
    assert [row["length"] for row in rows(tmp_path / "out/predictions.jsonl")] == list(sizes)


def test_bad_example_costs_a_few_calls_not_the_batch(model, tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(16):
        data = b"graph" if number == 5 else b"x"
        (tmp_path / f"in/{number:02d}.txt").write_bytes(data)
    spy = Spy()
    options = QUIET | {"batch_size": 16}
    summary = predict(model, find_inputs([tmp_path / "in"]), spy, tmp_path / "out", **options)
    assert (summary.done, summary.rejected) == (15, 1)
    assert len(spy.batches) == 9


class ArrayPredictor(helpers.TextPredictor):
    """Arrays of unequal shapes, summed by `call`, as an application with tiles would."""

    def read(self, source):
        return {"data": np.ones(source.path.stat().st_size % 3, np.float32)}

    def call(self, model, examples):
        batch = np.stack([example["data"] for example in examples])
        return [{"sum": total} for total in batch.sum(axis=1)]

    def record(self, source, outputs):
        return {"sum": outputs["sum"], "nan": float("nan"), "nested": {"a": np.arange(2)}}


def test_shapes_are_not_mixed(model, inputs, tmp_path):
    output = tmp_path / "out"
    predict(model, find_inputs([inputs]), ArrayPredictor(), output, **QUIET)
    for row in rows(output / "predictions.jsonl"):
        assert row["sum"] == (inputs / row["file"]).stat().st_size % 3
        assert (row["nan"], row["nested"]) == (None, {"a": [0, 1]})


@pytest.mark.parametrize("stage", ["split", "read", "size", "record", "files"])
def test_a_fault_of_the_program_is_no_fault_of_the_file(model, inputs, tmp_path, stage):
    class Faulty(helpers.TextPredictor):
        pass

    def fail(self, *arguments):
        raise KeyError("labels")

    setattr(Faulty, stage, fail)
    with pytest.raises(RuntimeError, match=r"\w+\.txt: KeyError: 'labels'"):
        predict(model, find_inputs([inputs]), Faulty(), tmp_path / "out", **QUIET)


class FailingPredictor(helpers.TextPredictor):
    def read(self, source):
        if source.name.endswith("1.txt"):
            raise KerasuiteError("odd file")
        return super().read(source)

    def record(self, source, outputs):
        if source.name.endswith("2.txt"):
            raise OSError(errno.EIO, "Input/output error", "x")
        return super().record(source, outputs)


def test_failures_of_a_file_reject_one_source(model, tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(4):
        (tmp_path / f"in/{number}.txt").write_bytes(b"x")
    (tmp_path / "in/broken.txt").symlink_to("nowhere")
    output = tmp_path / "out"
    predict(model, find_inputs([tmp_path / "in"]), FailingPredictor(), output, **QUIET)
    assert [row["error"] for row in rows(output / "errors.jsonl")] == [
        "odd file",
        "x: Input/output error",
        "broken.txt: No such file or directory (check the path)",
    ]


def test_standard_input(model, tmp_path, monkeypatch):
    class Stream:
        buffer = io.BytesIO(b"piped")

    monkeypatch.setattr("sys.stdin", Stream)
    sources = find_inputs(["-"])
    predict(model, sources, helpers.TextPredictor(), tmp_path / "out", **QUIET)
    (row,) = rows(tmp_path / "out/predictions.jsonl")
    assert (row["file"], row["upper"]) == ("stdin", "PIPED")


def test_foreign_names(model, tmp_path):
    (tmp_path / "in").mkdir()
    names = ["日本語" * 27 + ".txt", "new\nline.txt", 'a,"b.txt', os.fsdecode(b"\xff.txt")]
    for name in names:
        (tmp_path / "in" / name).write_bytes(b"x")
    for format in ("jsonl", "csv"):
        output = tmp_path / format
        helpers.run(model, tmp_path / "in", output, format=format, **QUIET)
        log = AppendLog(output / "predictions.jsonl")
        assert {line.row["file"] for line in log.lines()} == set(names)
        summary = helpers.run(model, tmp_path / "in", output, format=format, resume=True, **QUIET)
        assert summary.skipped == 4
    with open(
        tmp_path / "csv/predictions.csv", newline="", encoding="utf-8", errors="surrogateescape"
    ) as file:
        assert {row["file"] for row in csv.DictReader(file)} == set(names)


def test_result_names_that_are_too_long_reject_the_source(model, tmp_path):
    class Longer(helpers.TextPredictor):
        def files(self, source, outputs):
            return {source.name + ".result": b"x"}

    (tmp_path / "in").mkdir()
    for name in ("a.txt", "b" * 250 + ".txt"):
        (tmp_path / "in" / name).write_bytes(b"x")
    output = tmp_path / "out"
    summary = predict(model, find_inputs([tmp_path / "in"]), Longer(), output, **QUIET)
    assert (summary.done, summary.rejected) == (1, 1)
    assert "too long" in rows(output / "errors.jsonl")[0]["error"]
    assert (output / "a.txt.result").read_bytes() == b"x"


# Models


def test_wrong_models(model, inputs, tmp_path):
    class OtherTask(helpers.TextPredictor):
        inputs = ("image_bytes",)

    class OtherOutputs(helpers.TextPredictor):
        outputs = ("labels",)

    class OtherSignature(helpers.TextPredictor):
        signature = "tile"

    class OtherKeys(helpers.TextPredictor):
        inputs = ()

        def read(self, source):
            return {"text": b"x"}

    sources, output = find_inputs([inputs]), tmp_path / "out"
    for predictor, message in (
        (OtherTask(), "has no input image_bytes .it has data"),
        (OtherOutputs(), "has no output labels"),
        (OtherSignature(), "has no signature tile .it has serving_default"),
    ):
        with pytest.raises(KerasuiteError, match=message):
            predict(model, sources, predictor, output, **QUIET)
        assert not output.exists()
    with pytest.raises(KerasuiteError, match="has no input text"):
        predict(model, sources, OtherKeys(), output, **QUIET)
    with pytest.raises(KerasuiteError, match="is no SavedModel"):
        helpers.run(tmp_path / "nothing", inputs, tmp_path / "new", **QUIET)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/saved_model.pb").write_bytes(b"no model")
    with pytest.raises(KerasuiteError, match="cannot be loaded"):
        helpers.run(tmp_path / "broken", inputs, tmp_path / "new", **QUIET)
    assert not (tmp_path / "new").exists()


def test_fingerprint_sees_weights_and_graph_but_not_the_place(tmp_path):
    import tensorflow as tf

    def save(name, value, asset="a"):
        (tmp_path / "words.txt").write_text(asset)

        class Module(tf.Module):
            def __init__(self):
                self.v = tf.Variable(value)
                self.asset = tf.saved_model.Asset(str(tmp_path / "words.txt"))

            @tf.function(input_signature=[])
            def f(self):
                return {"v": self.v}

        tf.saved_model.save(Module(), str(tmp_path / name))
        return fingerprint(tmp_path / name)

    one = save("one", 1.0)
    shutil.copytree(tmp_path / "one", tmp_path / "copy")
    assert fingerprint(tmp_path / "copy") == one
    assert save("two", 2.0) != one
    assert save("three", 1.0, "b") != one

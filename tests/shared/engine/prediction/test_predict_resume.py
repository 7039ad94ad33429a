import json
import os
import subprocess
import threading

import pytest

from shared.common.errors import Interrupted, KerasuiteError
from shared.common.inputs import find_inputs
from shared.engine.prediction.append_log import AppendLog
from shared.engine.prediction.predict import predict
from tests.shared.engine.prediction import predict_helpers as helpers
from tests.shared.engine.prediction.predict_support import (
    QUIET,
    Spy,
    almost,
    content,
    logs,
    make_inputs,
    make_texts,
    program,
    restore,
    restore_first,
    rows,
    tree,
)

# Lines of text


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_lines_stay_aligned(model, tmp_path, format):
    folder, output = make_texts(tmp_path / "in"), tmp_path / "out"
    helpers.run(model, folder, output, "line", format=format, **QUIET)
    for name in ("a.txt", "empty.txt", "n.txt", "z.txt"):
        source = (folder / name).read_bytes().splitlines()
        expected = [b"" if s.startswith((b"host", b"graph")) else s.upper() for s in source]
        assert (output / name).read_bytes() == b"".join(line + b"\n" for line in expected)
    errors = rows(output / "errors.jsonl")
    assert {"file": "m.txt", "error": "m.txt: no text from line 3 on"} in errors
    assert {"file", "line", "error"} == set(errors[0])


# Resume


@pytest.mark.parametrize(("kind", "format"), [("bucket", "jsonl"), ("text", "csv")])
def test_resume_after_every_line(model, load_once, inputs, tmp_path, kind, format):
    reference, output = tmp_path / "reference", tmp_path / "out"
    helpers.run(model, inputs, reference, kind, format=format, **QUIET)
    expected = tree(reference)
    for done in range(0, 101, 3):
        restore_first(reference, output, inputs, done)
        summary = helpers.run(model, inputs, output, kind, format=format, resume=True, **QUIET)
        assert summary.skipped == done
        assert summary.done + summary.rejected == 100
        assert tree(output) == expected


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_torn_last_line_at_every_byte(model, load_once, tmp_path, format):
    (tmp_path / "in").mkdir()
    for number, data in enumerate([b"a", b"host", b'say "hi",\r\nyes\n', b"c", b"host", b"d"]):
        (tmp_path / f"in/{number}.txt").write_bytes(data)
    reference, output = tmp_path / "reference", tmp_path / "out"
    helpers.run(model, tmp_path / "in", reference, format=format, **QUIET)
    expected = tree(reference)
    predictions, errors = logs(reference)
    # The order of the lines: 0, error 1, 2 (the one with line ends in CSV), 3, error 4, 5.
    second, third, fifth = (
        predictions.index(name) - len('{"file": "') for name in (b"2.txt", b"3.txt", b"5.txt")
    )
    first_error = errors.index(b"\n") + 1
    states = [(predictions[:second], errors[:end]) for end in range(0, first_error, 7)]
    states += [(predictions[:end], errors[:first_error]) for end in range(second, third + 1)]
    states += [(predictions[:fifth], errors[:end]) for end in range(first_error, len(errors), 7)]
    states += [(predictions[:end], b"") for end in range(0, second, 5)]
    for kept_predictions, kept_errors in states:
        restore(reference, output, kept_predictions, kept_errors)
        helpers.run(model, tmp_path / "in", output, format=format, resume=True, **QUIET)
        assert tree(output) == expected


def test_resume_runs_only_the_open_window_again(model, inputs, tmp_path):
    reference, output = tmp_path / "reference", tmp_path / "out"
    helpers.run(model, inputs, reference, "bucket", **QUIET)
    restore_first(reference, output, inputs, 98)
    spy = Spy()
    predict(model, find_inputs([inputs]), spy, output, resume=True, **QUIET)
    assert 1 <= sum(map(len, spy.batches)) <= 24
    assert tree(output) == tree(reference)
    spy.batches.clear()
    predict(model, find_inputs([inputs]), spy, output, resume=True, **QUIET)
    assert not spy.batches


def test_resume_of_lines_after_every_line(model, load_once, tmp_path):
    folder, reference, output = make_texts(tmp_path / "in"), tmp_path / "ref", tmp_path / "out"
    helpers.run(model, folder, reference, "line", **QUIET)
    expected = tree(reference)
    predictions, errors = logs(reference)
    lines = [(json.loads(line), line) for line in (predictions + errors).splitlines(True)]
    lines.sort(key=lambda pair: (pair[0]["file"], pair[0].get("line", 1000)))
    for done in range(0, len(lines) + 1, 2):
        kept = [
            b"".join(line for row, line in lines[:done] if ("error" in row) == is_error)
            for is_error in (False, True)
        ]
        restore(reference, output, *kept)
        last = lines[done - 1][0]["file"] if done else ""
        for path in output.rglob("*.txt"):
            if path.name >= last:  # What comes later is not there yet.
                path.unlink()
        helpers.run(model, folder, output, "line", resume=True, **QUIET)
        assert tree(output) == expected


def test_existing_output_needs_resume(model, inputs, tmp_path):
    helpers.run(model, inputs, tmp_path / "out", **QUIET)
    before = tree(tmp_path / "out")
    with pytest.raises(KerasuiteError, match="--resume"):
        helpers.run(model, inputs, tmp_path / "out", **QUIET)
    with pytest.raises(KerasuiteError, match="--resume"):
        helpers.run(model, inputs, tmp_path / "out", format="csv", **QUIET)
    assert tree(tmp_path / "out") == before
    (tmp_path / "own").mkdir()
    (tmp_path / "own/predictions.csv").write_text("of the user\n")
    with pytest.raises(KerasuiteError, match="--resume"):
        helpers.run(model, inputs, tmp_path / "own", format="csv", **QUIET)
    assert set(tree(tmp_path / "own")) == {"predictions.csv"}


def test_overwrite_removes_what_a_prediction_wrote_and_nothing_else(model, inputs, tmp_path):
    output, fewer = tmp_path / "out", tmp_path / "fewer"
    helpers.run(model, inputs, output, "file", format="csv", **QUIET)
    fewer.mkdir()
    (fewer / "new.txt").write_bytes(b"new")
    helpers.run(model, fewer, tmp_path / "expected", "file", **QUIET)
    own = {"letter.txt": b"mine", "upper/mine.txt": b"mine", "predictions-old.jsonl": b"mine"}
    for name, text in own.items():
        (output / name).write_bytes(text)
    with open(output / ".written", "ab") as file:
        file.write(b'"../expected/predictions.jsonl"\n5\n"torn')
    helpers.run(model, fewer, output, "file", overwrite=True, **QUIET)
    assert (tmp_path / "expected" / "predictions.jsonl").exists()
    assert tree(output) == tree(tmp_path / "expected") | own
    with pytest.raises(KerasuiteError, match="--overwrite.*give one"):
        helpers.run(model, fewer, output, "file", overwrite=True, resume=True, **QUIET)
    with pytest.raises(KerasuiteError, match="--overwrite to replace them"):
        helpers.run(model, fewer, output, "file", **QUIET)


def test_a_shard_overwrites_its_own_part(model, inputs, tmp_path):
    for shard in ("1/2", "2/2"):
        helpers.run(model, inputs, tmp_path, "file", shard=shard, **QUIET)
    before = tree(tmp_path)
    helpers.run(model, inputs, tmp_path, "file", shard="2/2", overwrite=True, **QUIET)
    assert tree(tmp_path) == before


def test_a_run_in_progress_is_not_overwritten(model, inputs, tmp_path):
    helpers.run(model, inputs, tmp_path / "out", **QUIET)
    before = tree(tmp_path / "out")
    other = AppendLog(tmp_path / "out" / "predictions.jsonl")
    other.lock()
    with pytest.raises(KerasuiteError, match="is being written by another run"):
        helpers.run(model, inputs, tmp_path / "out", overwrite=True, **QUIET)
    other.close()
    assert tree(tmp_path / "out") == before


def test_a_finished_run_gets_its_csv_by_resume(model, inputs, tmp_path):
    helpers.run(model, inputs, tmp_path / "whole", format="csv", **QUIET)
    helpers.run(model, inputs, tmp_path / "out", **QUIET)
    assert not (tmp_path / "out/predictions.csv").exists()
    helpers.run(model, inputs, tmp_path / "out", format="csv", resume=True, **QUIET)
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_resume_refuses_other_settings(model, inputs, tmp_path):
    output = tmp_path / "out"
    helpers.run(model, inputs, output, limit=10, **QUIET)
    before = tree(output)

    class Other(helpers.TextPredictor):
        def settings(self):
            return {"top_k": 3}

    other_model = helpers.make_model(tmp_path / "other", factor=2)
    sources = find_inputs([inputs], limit=10)
    options = {"resume": True, **QUIET}
    with pytest.raises(KerasuiteError, match="limit was 10 and is 20"):
        helpers.run(model, inputs, output, limit=20, **options)
    with pytest.raises(KerasuiteError, match="the model is another one"):
        helpers.run(other_model, inputs, output, limit=10, **options)
    with pytest.raises(KerasuiteError, match=r'settings was \{\} and is \{"top_k": 3\}'):
        predict(model, sources, Other(), output, **options)
    assert tree(output) == before


def test_resume_may_change_the_batch_size(model, inputs, tmp_path):
    helpers.run(model, inputs, tmp_path / "whole", **QUIET)
    restore_first(tmp_path / "whole", tmp_path / "out", inputs, 43)
    helpers.run(model, inputs, tmp_path / "out", resume=True, progress=False, batch_size=5)
    found, expected = (rows(tmp_path / name / "predictions.jsonl") for name in ("out", "whole"))
    assert found == almost(expected)
    assert logs(tmp_path / "out")[1] == logs(tmp_path / "whole")[1]


@pytest.mark.parametrize("change", ["removed", "added"])
def test_resume_refuses_changed_inputs(model, inputs, tmp_path, change):
    output = tmp_path / "out"
    helpers.run(model, inputs, output, **QUIET)
    before = tree(output)
    if change == "removed":
        (inputs / "1/00041.txt").unlink()
    else:
        (inputs / "1/00041a.txt").write_bytes(b"x")
    with pytest.raises(KerasuiteError, match="the inputs changed"):
        helpers.run(model, inputs, output, resume=True, **QUIET)
    assert tree(output) == before


def test_resume_refuses_a_foreign_file(model, inputs, tmp_path):
    output = tmp_path / "out"
    helpers.run(model, inputs, output, **QUIET)
    (output / "predictions.jsonl").write_text("1,2,3\nfour\n")
    with pytest.raises(KerasuiteError, match="line 1 is not one of its results"):
        helpers.run(model, inputs, output, resume=True, **QUIET)


def test_resume_of_nothing_starts(model, inputs, tmp_path):
    summary = helpers.run(model, inputs, tmp_path / "out", resume=True, **QUIET)
    assert (summary.skipped, summary.done + summary.rejected) == (0, 100)


def test_two_runs_in_one_folder(model, inputs, tmp_path):
    output = tmp_path / "out"
    helpers.run(model, inputs, output, **QUIET)
    before = tree(output)
    log = AppendLog(output / "predictions.jsonl")
    log.lock()
    try:
        with pytest.raises(KerasuiteError, match="being written by another run"):
            helpers.run(model, inputs, output, resume=True, **QUIET)
    finally:
        log.close()
    assert tree(output) == before


# Kills and signals


@pytest.mark.parametrize(
    ("kind", "kills"),
    [
        ("line", 6),
        *(pytest.param(kind, 60, marks=pytest.mark.slow) for kind in ("bucket", "file", "line")),
    ],
)
def test_killed_again_and_again(model, tmp_path, kind, kills):
    folder = tmp_path / "in"
    if kind == "line":
        folder.mkdir()
        for number in range(6):
            lines = [content(number * 50 + i).strip() for i in range(number * 20)]
            (folder / f"{number}.txt").write_bytes(b"".join(line + b"\n" for line in lines))
    else:
        make_inputs(folder, 300)
    helpers.run(model, folder, tmp_path / "reference", kind, format="csv", **QUIET)
    options = [f"kills={kills}", f"kind={kind}", "format=csv", "batch_size=8", "delay=0.002"]
    command, environment = program("kill", model, folder, tmp_path / "out", *options)
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout.splitlines()[-1])
    assert report["status"] == 0, result.stderr
    assert report["kills"] >= 4
    assert tree(tmp_path / "out") == tree(tmp_path / "reference")


class Interrupting(helpers.TextPredictor):
    """Sends a signal to its own process in the third batch."""

    def __init__(self, number):
        self.number, self.calls = number, 0

    def call(self, model, examples):
        self.calls += 1
        if self.calls == 3:
            os.kill(os.getpid(), self.number)
            threading.Event().wait(
                1.0
            )  # The main thread notices meanwhile, also on a busy machine.
        return model(examples)


@pytest.mark.parametrize("number", [2, 15])
def test_signals_stop_after_the_running_batch(model, inputs, tmp_path, number):
    predictor, output = Interrupting(number), tmp_path / "out"
    with pytest.raises(Interrupted, match="--resume") as error:
        predict(model, find_inputs([inputs]), predictor, output, **QUIET)
    assert error.value.exit_code == 128 + number
    done = len(rows(output / "predictions.jsonl")) + len(rows(output / "errors.jsonl"))
    assert f"after {done} inputs" in str(error.value)
    assert done == 24 and predictor.calls <= 4
    helpers.run(model, inputs, output, resume=True, **QUIET)
    helpers.run(model, inputs, tmp_path / "whole", **QUIET)
    assert tree(output) == tree(tmp_path / "whole")

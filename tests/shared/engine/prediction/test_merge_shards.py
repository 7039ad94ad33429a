"""The lines of several shards as those of one process."""

import pytest

from shared.common.inputs import Source
from shared.engine.prediction.merge_shards import merge_if_last
from shared.engine.prediction.prediction_logs import PredictionLogs
from shared.engine.prediction.predictor import Predictor


class CountingPredictor(Predictor):
    def read(self, source):
        raise AssertionError("nothing is predicted here")

    def record(self, source, outputs):
        raise AssertionError("nothing is predicted here")

    def summary(self, rows):
        return {"count.txt": [str(len(list(rows))).encode()]}


def source(name, line=None):
    return Source(name, None, line) if line is not None else Source(name, None)


def write(folder, ending, sources):
    """One line for each source; every fourth file is rejected, "empty" has no lines."""
    folder.mkdir(exist_ok=True)
    logs = PredictionLogs(folder, ending)
    logs.open()
    for each in sources:
        if each.name == "empty":
            continue
        for number in range(1, 3):
            if each.name.endswith("3"):
                logs.reject(source(each.name, number), "bad")
            else:
                logs.accept(source(each.name, number), {"label": f"{each.name}-{number}, é"})
    logs.flush()
    logs.close()


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_merged_equals_one_process(tmp_path, format):
    names = [f"file{number}" for number in range(7)]
    sources = [source(name) for name in [*names[:2], "empty", *names[2:]]]
    write(tmp_path / "alone", "", sources)
    shared = tmp_path / "shared"
    for part in range(3):
        assert not (shared / "predictions.jsonl").exists()
        write(shared, f"-{part + 1}-of-3", sources[part::3])
        merged = merge_if_last(shared, format, f"{part + 1}/3", sources, CountingPredictor())
        assert merged == (part == 2)
    for name in ("predictions.jsonl", "errors.jsonl"):
        assert (shared / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
    assert (shared / "count.txt").read_text() == "14"
    assert not list(shared.glob(".partial-*"))
    assert (shared / "predictions.csv").exists() == (format == "csv")
    if format == "csv":
        expected = [
            f'{name},{number},"{name}-{number}, é"'
            for name in names
            for number in (1, 2)
            if name != "file3"
        ]
        text = (shared / "predictions.csv").read_text(encoding="utf-8")
        assert text.splitlines() == ["file,line,label", *expected]

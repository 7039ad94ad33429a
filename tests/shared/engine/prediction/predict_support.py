"""Shared by the tests of batch inference: inputs, expected results, other processes."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from shared.common.inputs import find_inputs
from tests.shared.engine.prediction import predict_helpers as helpers

ROOT = Path(__file__).resolve().parents[4]
QUIET = {"progress": False, "batch_size": 8}


def content(number):
    """Lengths go up and down; some contents are bad for the reader, some for the graph."""
    if number % 23 == 7:
        return b"host"
    if number % 31 == 11:
        return b"graph"
    return (b"%d " % number) * (number * 7 % 13 + 1)


def make_inputs(folder, count=100):
    for number in range(count):
        path = folder / f"{number % 4}" / f"{number:05d}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(number))
    return folder


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def almost(found):
    """Rows whose numbers may depend on the other examples of their batch, in the last bit."""
    return [
        row | {"score": pytest.approx(row["score"], rel=1e-5)} if "score" in row else row
        for row in found
    ]


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def make_texts(folder):
    folder.mkdir()
    lines = [content(number).strip() for number in range(70)]
    lines[3] = lines[20] = b""
    (folder / "a.txt").write_bytes(b"".join(line + b"\n" for line in lines[:30]))
    (folder / "empty.txt").write_bytes(b"")
    (folder / "m.txt").write_bytes(b"one\ntwo\nwhole\nnever\n")
    (folder / "n.txt").write_bytes(b"")
    (folder / "z.txt").write_bytes(b"\n".join(lines[30:]))
    return folder


def logs(folder):
    """The bytes of both logs."""
    return tuple((folder / f"{name}.jsonl").read_bytes() for name in ("predictions", "errors"))


def restore(reference, output, predictions, errors):
    """A copy of the results with other logs, as a run leaves it that did not end."""
    shutil.rmtree(output, ignore_errors=True)
    shutil.copytree(reference, output)
    (output / "predictions.csv").unlink(missing_ok=True)
    (output / "predictions.jsonl").write_bytes(predictions)
    (output / "errors.jsonl").write_bytes(errors)


def restore_first(reference, output, inputs, done):
    """The results as they are when this many inputs are done."""
    predictions, errors = (log.splitlines(True) for log in logs(reference))
    bad = {json.loads(line)["file"] for line in errors}
    rejected = sum(source.name in bad for source in find_inputs([inputs], limit=done))
    kept = b"".join(predictions[: done - rejected])
    restore(reference, output, kept, b"".join(errors[:rejected]))


def program(*arguments):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    return [sys.executable, helpers.__file__, *map(str, arguments)], environment


class Spy(helpers.BucketPredictor):
    def __init__(self):
        self.batches = []

    def call(self, model, examples):
        self.batches.append([len(example["data"]) for example in examples])
        return model(examples)

import os
import resource
import subprocess
import threading

import pytest

from shared.common.errors import KerasuiteError
from shared.common.inputs import Source, find_inputs
from shared.engine.prediction import prediction_run
from shared.engine.prediction.predict import predict
from tests.shared.engine.prediction import predict_helpers as helpers
from tests.shared.engine.prediction.predict_support import QUIET, program, tree

# Outputs that cannot be written


def test_full_disk_leaves_whole_lines(model, inputs, tmp_path):
    output, whole = tmp_path / "out", tmp_path / "whole"
    helpers.run(model, inputs, whole, **QUIET)
    room = (whole / "predictions.jsonl").stat().st_size // 2
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        with pytest.raises(KerasuiteError, match="predictions.jsonl: File too large"):
            helpers.run(model, inputs, output, **QUIET)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    text = (output / "predictions.jsonl").read_bytes()
    assert 0 < len(text) <= room and text.endswith(b"\n")
    helpers.run(model, inputs, output, resume=True, **QUIET)
    assert tree(output) == tree(whole)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KiB, where the tests may mount one."""
    mount = tmp_path / "small"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mount)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


def test_full_disk_leaves_no_half_file(model, inputs, tmp_path, small_disk):
    output = small_disk / "out"
    with pytest.raises(KerasuiteError, match="No space left on device .free some space"):
        helpers.run(model, inputs, output, "file", **QUIET)
    for path in (output / "upper").rglob("*.txt"):
        source = inputs / path.relative_to(output / "upper")
        assert path.read_bytes() == source.read_bytes().upper() * 500
    logs = [p.read_bytes() for p in output.glob("*.jsonl")]
    assert all(not log or log.endswith(b"\n") for log in logs)
    assert not (output / ".partial-predict").exists()


@pytest.mark.parametrize("place", ["a-file", "a-file/below", "/proc/nowhere"])
def test_unwritable_output(model, inputs, tmp_path, place):
    (tmp_path / "a-file").write_text("")
    with pytest.raises(KerasuiteError, match="a-file|/proc/nowhere"):
        helpers.run(model, inputs, tmp_path / place, **QUIET)


def test_inputs_are_never_overwritten(model, tmp_path):
    class Same(helpers.TextPredictor):
        def files(self, source, outputs):
            return {source.name: b"new"}

    (tmp_path / "a.txt").write_bytes(b"old")
    sources = find_inputs([tmp_path / "a.txt"], output=tmp_path)
    with pytest.raises(KerasuiteError, match="would overwrite the input"):
        predict(model, sources, Same(), tmp_path, **QUIET)
    assert (tmp_path / "a.txt").read_bytes() == b"old"


# Memory and overlap


def peak_memory(model, tmp_path, some, everything):
    folder = tmp_path / "in"
    for number in range(everything):
        path = folder / f"{number % 20}" / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % number)
    options = [f"limit={some}", "kind=bucket", "batch_size=32"]
    command, environment = program("memory", model, folder, tmp_path / "out", *options)
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return map(int, result.stdout.split())


def test_memory_does_not_grow_with_the_folder(model, tmp_path):
    small, large = peak_memory(model, tmp_path, 200, 2000)
    assert large < 1.06 * small


@pytest.mark.slow
def test_memory_of_20000_files(model, tmp_path):
    small, large = peak_memory(model, tmp_path, 2000, 20_000)
    assert large < 1.1 * small


def test_reading_is_bounded_and_overlaps(model, tmp_path):
    """While a batch is in the model, about three batches are read ahead, never all."""

    class Slow(helpers.TextPredictor):
        read_so_far = 0
        ahead = []
        called = 0
        lock = threading.Lock()

        def read(self, source):
            with self.lock:
                self.read_so_far += 1
            return super().read(source)

        def call(self, model, examples):
            threading.Event().wait(0.03)
            self.called += len(examples)
            self.ahead.append(self.read_so_far - self.called)
            return super().call(model, examples)

    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(200):
        (folder / f"{number:03d}.txt").write_bytes(b"x")
    slow = Slow()
    predict(model, find_inputs([folder]), slow, tmp_path / "out", **QUIET)
    assert max(slow.ahead) <= 7 * 8
    assert sorted(slow.ahead[2:-8])[0] >= 2 * 8


def test_the_model_never_waits(model, inputs, tmp_path):
    """At least 85 % of the model's own rate, with reading and writing of half its time."""
    seconds = 0.12

    class Timed(helpers.FilePredictor):
        batches = 0

        def call(self, model, examples):
            self.batches += 1
            threading.Event().wait(seconds)
            return [{"length": 1, "upper": b"X", "score": 0.5}] * len(examples)

    timed = Timed()
    timed.delay = 0.01
    sources = find_inputs([inputs])
    summary = predict(model, sources, timed, tmp_path / "out", threads=4, **QUIET)
    assert timed.batches * seconds >= 0.85 * (summary.seconds - 4 * seconds / 8)


@pytest.mark.parametrize("limit", [10, 1000])
def test_large_examples_are_not_read_far_ahead(model, tmp_path, monkeypatch, limit):
    monkeypatch.setattr(prediction_run, "_LARGE_WINDOW", limit)
    held = []

    class Counting(helpers.TextPredictor):
        read_so_far = called = 0

        def read(self, source):
            self.read_so_far += 1
            return {"data": b"x" * 100}

        def call(self, model, examples):
            threading.Event().wait(0.02)
            self.called += len(examples)
            held.append(self.read_so_far - self.called)
            return model(examples)

    sources = [Source(f"{number}", None) for number in range(60)]
    predict(model, sources, Counting(), tmp_path / "out", batch_size=1, progress=False, threads=1)
    ahead = sorted(held)[len(held) // 2]
    assert ahead <= 3 if limit == 10 else ahead >= 4

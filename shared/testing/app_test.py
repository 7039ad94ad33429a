"""`run_app_test`: what must hold for every application, from training to a killed prediction.

    CASE = AppCase("classify", "apps.vision.classification.app:ClassifyApp", write_data, ...)

    def test_killed_training(...):  run_killed_training_test(CASE, ...)

Each check runs the command line in a process of its own, as a user would.
"""

import csv
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT = 300  # seconds until a training has written its first checkpoint


@dataclass(frozen=True)
class AppCase:
    """One application as the common checks see it.

    Attributes:
        command: the command group, such as "classify".
        place: "module:Class" of the application.
        write_data: writes a small data set into a folder and returns the DATA arguments.
        write_inputs: writes inputs of unequal sizes and returns how many are good and how
            many are corrupt.
        verb: the verb that trains.
        options: further options of the training command.
    """

    command: str
    place: str
    write_data: Callable[[Path], Sequence[str]]
    write_inputs: Callable[[Path], tuple[int, int]]
    verb: str = "train"
    options: Sequence[str] = field(default_factory=tuple)

    def training(self, data: Sequence[str], output: Path) -> list[str]:
        """Arguments that train the `test` preset, with a checkpoint after every step."""
        return [
            self.command, self.verb, *data, "--preset", "test", "--output", str(output),
            "--checkpoint-every", "1 step", *self.options,
        ]  # fmt: skip


def kerasuite(*arguments: Any, timeout: float = 600) -> subprocess.CompletedProcess:
    """Runs the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "cli", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, timeout=timeout,
    )  # fmt: skip


def expect_success(done: subprocess.CompletedProcess, code: int = 0) -> None:
    assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"


def start(*arguments: Any) -> subprocess.Popen:
    """Starts the command line and returns at once; its output is thrown away."""
    return subprocess.Popen(
        [sys.executable, "-m", "cli", *map(str, arguments)],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def kill_when(process: subprocess.Popen, ready: Callable[[], bool], number: int) -> None:
    """Sends a signal as soon as `ready()`; the process must still be running then."""
    begin = time.monotonic()
    while not ready():
        assert process.poll() is None, f"ended with {process.returncode} before it was ready"
        assert time.monotonic() - begin < START_LIMIT, "did not get ready in time"
        time.sleep(0.01)
    process.send_signal(number)
    process.wait(timeout=120)


def newest_step(run: Path) -> int:
    """Step of a run's newest checkpoint, 0 without one."""
    steps = [int(path.stem.removeprefix("step-")) for path in run.glob("checkpoints/step-*.npz")]
    return max(steps, default=0)


def final_state(run: Path) -> dict[str, np.ndarray]:
    """Everything in a run's newest checkpoint."""
    path = max(run.glob("checkpoints/step-*.npz"))
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def expect_same_run(left: Path, right: Path) -> None:
    """The weights, optimiser, generators, history and metrics of two runs are bit-identical."""
    one, two = final_state(left), final_state(right)
    assert one.keys() == two.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, two[name], err_msg=name)
    for name in ("history.csv", "metrics.json"):
        assert (left / name).read_bytes() == (right / name).read_bytes(), name


def run_killed_training_test(case: AppCase, data: Sequence[str], whole: Path, folder: Path) -> None:
    """A training killed by SIGKILL, SIGTERM and SIGINT, and resumed, equals one left alone.

    Args:
        whole: run folder of the same training, left alone.
        folder: where the killed one goes.
    """
    total = newest_step(whole)
    generator = random.Random(total)
    stops = sorted(generator.sample(range(1, total), min(3, total - 1)))
    arguments = case.training(data, folder)
    signals = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
    for stop, number in zip(stops, signals, strict=False):
        process = start(*arguments)
        kill_when(process, lambda stop=stop: newest_step(folder) >= stop, number)
        expected = -9 if number == signal.SIGKILL else 128 + number
        assert process.returncode == expected
        arguments = [case.command, case.verb, "--output", str(folder), "--resume"]
    expect_success(kerasuite(*arguments))
    expect_same_run(whole, folder)


def run_predict_test(case: AppCase, model: Path, folder: Path) -> None:
    """Corrupt inputs become rows, and a killed prediction, resumed, gives the same bytes."""
    inputs, whole, killed = folder / "inputs", folder / "whole", folder / "killed"
    inputs.mkdir()
    good, bad = case.write_inputs(inputs)
    predict = [case.command, "predict", str(model), str(inputs), "--batch-size", "2"]
    expect_success(kerasuite(*predict, "--output", whole), code=3 if bad else 0)
    assert len(read_lines(whole / "predictions.jsonl")) == good
    assert len(read_lines(whole / "errors.jsonl")) == bad
    process = start(*predict, "--output", killed)
    kill_when(process, lambda: has_lines(killed / "predictions.jsonl"), signal.SIGKILL)
    expect_success(kerasuite(*predict, "--output", killed, "--resume"), code=3 if bad else 0)
    for path in whole.rglob("*"):
        if path.is_file():
            twin = killed / path.relative_to(whole)
            assert path.read_bytes() == twin.read_bytes(), path


def has_lines(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Records of a JSON-lines file; none if it is not there."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def read_history(run: Path) -> list[dict[str, float]]:
    """Rows of a run's history.csv."""
    with open(run / "history.csv", encoding="utf-8", newline="") as file:
        return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]


def run_two_devices_test(case: AppCase, data: Sequence[str], batch_size: int) -> None:
    """The losses of the first steps agree on one device and on two.

    Args:
        batch_size: int. Odd sizes are split unevenly.
    """
    done = subprocess.run(
        [sys.executable, "-m", "shared.testing.two_devices", case.place, *data,
         "--batch-size", str(batch_size)],
        cwd=ROOT, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    expect_success(done)
    one, two = json.loads(done.stdout.splitlines()[-1])
    np.testing.assert_allclose(one, two, rtol=2e-4)

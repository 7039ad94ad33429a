"""`run_app_test`: what must hold for every application, from training to a killed prediction.

    CASE = AppCase("classify", "apps.vision.classification.app:ClassifyApp", write_data, ...)

    def test_killed_training(...):  run_killed_training_test(CASE, ...)

Each check runs the command line in a process of its own, as a user would.
"""

import json
import os
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

from shared.engine.distribution.cluster import Cluster
from shared.engine.distribution.devices import available_cores
from shared.engine.distribution.launch import free_ports
from shared.engine.load_app import load_app
from shared.engine.training.cpu_data_parallel import THREADS
from shared.engine.training.history import read_csv

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
        predict_verb: the verb of batch inference.
        options: further options of the training command.
    """

    command: str
    place: str
    write_data: Callable[[Path], Sequence[str]]
    write_inputs: Callable[[Path], tuple[int, int]]
    verb: str = "train"
    predict_verb: str = "predict"
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


def kill_when(
    process: subprocess.Popen, ready: Callable[[], bool], number: int, delay: float = 0.0
) -> None:
    """Sends a signal `delay` seconds after `ready()`; the process must be running when ready."""
    begin = time.monotonic()
    while not ready():
        assert process.poll() is None, f"ended with {process.returncode} before it was ready"
        assert time.monotonic() - begin < START_LIMIT, "did not get ready in time"
        time.sleep(0.01)
    time.sleep(delay)
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
    # Not near the end: a quick training would be over before the signal arrives.
    places = range(1, max(2, total * 3 // 4))
    stops = sorted(generator.sample(places, min(3, len(places))))
    arguments = case.training(data, folder)
    signals = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
    for stop, number in zip(stops, signals, strict=False):
        # A step of its own shows that it trains: a signal at the start would meet no handler.
        reach = max(stop, newest_step(folder) + 1)
        process = start(*arguments)
        kill_when(process, lambda reach=reach: newest_step(folder) >= reach, number)
        expected = -9 if number == signal.SIGKILL else 128 + number
        assert process.returncode == expected
        arguments = [case.command, case.verb, "--output", str(folder), "--resume"]
    expect_success(kerasuite(*arguments))
    expect_same_run(whole, folder)


def run_many_kills_test(case: AppCase, data: Sequence[str], folder: Path, kills: int) -> None:
    """A training killed again and again, at any moment, equals one left alone."""
    long = [*case.training(data, folder / "whole"), "--epochs", "20"]
    expect_success(kerasuite(*long))
    generator = random.Random(kills)
    arguments = [*case.training(data, folder / "killed"), "--epochs", "20"]
    resume = [case.command, case.verb, "--output", str(folder / "killed"), "--resume"]
    total = newest_step(folder / "whole")
    for number in range(kills):
        process = start(*arguments)
        # On average one n-th of what is left, and then any moment of the next steps.
        reach = newest_step(folder / "killed") + generator.randint(1, max(1, total // kills))
        reach = min(reach, total - 1)
        kill_when(process, lambda reach=reach: newest_step(folder / "killed") >= reach, 9,
                  delay=generator.uniform(0.0, 0.2))  # fmt: skip
        if process.returncode == 0:
            print(f"the training ended before kill {number + 1}")
            break
        arguments = resume
    expect_success(kerasuite(*resume))
    expect_same_run(folder / "whole", folder / "killed")


def run_predict_test(case: AppCase, model: Path, folder: Path) -> None:
    """Corrupt inputs become rows, and a killed prediction, resumed, gives the same bytes."""
    inputs, whole, killed = folder / "inputs", folder / "whole", folder / "killed"
    inputs.mkdir()
    good, bad = case.write_inputs(inputs)
    predict = [case.command, case.predict_verb, str(model), str(inputs), "--batch-size", "2"]
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
    return read_csv(run / "history.csv")


def run_strategies_test(case: AppCase, data: Sequence[str], batch_size: int) -> None:
    """The losses of the first steps agree on one device, on two, and on two workers.

    So do those of a batch in halves, where the application allows it.

    Args:
        batch_size: int. Odd sizes are split unevenly.
    """
    one = step_losses(case, data, batch_size, "single")
    two = step_losses(case, data, batch_size, "mirrored", devices="cpu:2")
    np.testing.assert_allclose(two, one, rtol=2e-4)
    workers = worker_losses(case, data, batch_size, count=2)
    np.testing.assert_allclose(workers, [one, one], rtol=2e-4)
    if load_app(case.place).independent_rows and available_cores() > 1:
        np.testing.assert_allclose(half_losses(case, data, batch_size), one, rtol=2e-4)


def step_losses(case, data, batch_size, strategy: str, **options: str) -> list[float]:
    """Losses of the first steps, computed in a process of its own."""
    return _losses_of(_start_losses(case, data, batch_size, strategy, os.environ, **options))


def half_losses(case, data, batch_size, **options: str) -> list[float]:
    """The same where batches are trained in halves, see `cpu_data_parallel`; needs two cores."""
    cores = {name: value for name, value in os.environ.items() if name != THREADS}
    return _losses_of(_start_losses(case, data, batch_size, "single", cores, "--halves", **options))


def worker_losses(case: AppCase, data, batch_size: int, count: int) -> list[list[float]]:
    """The same on `count` workers: what each of them saw."""
    addresses = tuple(f"localhost:{port}" for port in free_ports(count))
    processes = []
    for index in range(count):
        environment = os.environ | {"TF_CONFIG": Cluster(addresses, index).to_tf_config()}
        processes.append(_start_losses(case, data, batch_size, "multiworker", environment))
    return [_losses_of(process) for process in processes]


def _start_losses(
    case, data, batch_size, strategy, environment, *flags, **options
) -> subprocess.Popen:
    flags += tuple(text for name, value in options.items() for text in (f"--{name}", value))
    return subprocess.Popen(
        [sys.executable, "-m", "shared.testing.strategy_losses", case.place, *data,
         "--batch-size", str(batch_size), "--strategy", strategy, *flags],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def _losses_of(process: subprocess.Popen) -> list[float]:
    try:
        out, errors = process.communicate(timeout=600)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    return json.loads(out.splitlines()[-1])


def run_two_workers_test(case: AppCase, data: Sequence[str], folder: Path) -> None:
    """Two workers leave one complete run folder, also when they are killed on the way."""
    arguments = ["launch", "--workers", "2", "--", *case.training(data, folder)]
    process = start(*arguments)
    kill_when(process, lambda: newest_step(folder) >= 1, signal.SIGTERM)
    assert process.returncode == 128 + signal.SIGTERM
    stopped_at = newest_step(folder)
    resume = [case.command, case.verb, "--output", str(folder), "--resume"]
    expect_success(kerasuite("launch", "--workers", "2", "--", *resume))
    assert newest_step(folder) > stopped_at
    before = (folder / "metrics.json").read_bytes()
    expect_success(kerasuite("launch", "--workers", "2", "--", case.command, "evaluate", folder))
    assert (folder / "metrics.json").read_bytes() == before


def run_shared_prediction_test(case: AppCase, model: Path, folder: Path) -> None:
    """Two workers predict what one does, in the same order."""
    inputs, alone, shared = folder / "inputs", folder / "alone", folder / "shared"
    inputs.mkdir()
    _, bad = case.write_inputs(inputs)
    predict = [case.command, case.predict_verb, str(model), str(inputs), "--batch-size", "1"]
    expect_success(kerasuite(*predict, "--output", alone), code=3 if bad else 0)
    launched = kerasuite("launch", "--workers", "2", "--", *predict, "--output", shared)
    expect_success(launched, code=3 if bad else 0)
    for name in ("predictions.jsonl", "errors.jsonl"):
        if (alone / name).exists():
            assert (alone / name).read_bytes() == (shared / name).read_bytes(), name

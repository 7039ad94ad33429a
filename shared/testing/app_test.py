"""The checks that every application must pass, from training to a killed prediction.

    CASE = AppCase("classify", "apps.vision.classification.app:ClassifyApp", write_data, ...)

    def test_killed_training(...):  run_killed_training_test(CASE, ...)

Each check runs the command line in processes of its own, as a user would (see `processes.py`).
"""

import json
import os
import random
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from shared.engine.distribution.devices import available_cores
from shared.engine.load_app import load_app
from shared.engine.training.cpu_data_parallel import THREADS
from shared.engine.training.history import read_csv
from shared.testing.processes import expect_success, kerasuite, kill_when, start, start_workers

LOSSES = "shared.testing.strategy_losses"
LOSSES_RTOL = 2e-4  # Between devices: another order of summation.


@dataclass(frozen=True)
class AppCase:
    """One application as the common checks see it.

    Attributes:
        command: the command group, such as "classify".
        import_path: "module:Class" of the application.
        write_data: writes a small data set into a folder and returns the DATA arguments.
        write_inputs: writes inputs of unequal sizes and returns how many are good and how
            many are corrupt.
        verb: the verb that trains.
        predict_verb: the verb of batch inference.
        options: further options of the training command.
        compared_steps: number of first steps whose losses several devices have to reproduce.
        settings: leaves of the configuration that replace those of the `test` preset, in
            every training: {"model.algorithm": "glove"}.
    """

    command: str
    import_path: str
    write_data: Callable[[Path], Sequence[str]]
    write_inputs: Callable[[Path], tuple[int, int]]
    verb: str = "train"
    predict_verb: str = "predict"
    options: Sequence[str] = field(default_factory=tuple)
    settings: Mapping[str, Any] = field(default_factory=dict)
    compared_steps: int = 4

    def training(self, data: Sequence[str], output: Path) -> list[str]:
        """Arguments that train the `test` preset, with a checkpoint after every step."""
        return [
            self.command, self.verb, *data, "--preset", "test", "--output", str(output),
            "--checkpoint-every", "1 step", *self.options, *self._flags(),
        ]  # fmt: skip

    def _flags(self) -> list[str]:
        """The settings as options of the command line."""
        flags = []
        for leaf, value in self.settings.items():
            name = leaf.rpartition(".")[2].replace("_", "-")
            switch = f"--{name}" if value else f"--no-{name}"
            flags.append(switch if isinstance(value, bool) else f"--{name}={value}")
        return flags


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


def run_snapshot_training(case: AppCase, data: Sequence[str], whole: Path, killed: Path) -> None:
    """Trains into `whole` and leaves in `killed` what SIGKILL in the first epoch would leave."""
    arguments = ("snapshot", killed, *case.training(data, whole))
    expect_success(kerasuite(*arguments, module="shared.testing.interrupted"))


def run_resume_test(case: AppCase, whole: Path, killed: Path) -> None:
    """A training that was killed in its first epoch and is resumed equals one left alone.

    Args:
        case: the application.
        whole: run folder of the training left alone.
        killed: what was left of the other, see `run_snapshot_training`.
    """
    assert 0 < newest_step(killed) < newest_step(whole)
    assert not (killed / "metrics.json").exists()
    expect_success(kerasuite(case.command, case.verb, "--output", killed, "--resume"))
    expect_same_run(whole, killed)


def run_killed_training_test(
    case: AppCase, data: Sequence[str], whole: Path, folder: Path, fresh: bool = False
) -> None:
    """A training ended by SIGKILL, SIGTERM and SIGINT, and resumed, equals one left alone.

    Args:
        case: the application.
        data: the DATA arguments.
        whole: run folder of the same training, left alone.
        folder: where the killed one goes.
        fresh: whether each process is a new Python process, with hash seeds of its own.
    """
    total = newest_step(whole)
    generator = random.Random(total)
    # Not near the end: a quick training would be over before the signal arrives.
    steps = range(1, max(2, total * 3 // 4))
    stops = sorted(generator.sample(steps, min(3, len(steps))))
    arguments = case.training(data, folder)
    signals = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
    for stop, number in zip(stops, signals, strict=False):
        # A step of its own shows that it trains: a signal at the start would meet no handler.
        reach = max(stop, newest_step(folder) + 1)
        process = start(*arguments, fresh=fresh)
        kill_when(process, lambda reach=reach: newest_step(folder) >= reach, number)
        expected = -9 if number == signal.SIGKILL else 128 + number
        assert process.returncode == expected
        arguments = [case.command, case.verb, "--output", str(folder), "--resume"]
    expect_success(kerasuite(*arguments, fresh=fresh))
    expect_same_run(whole, folder)


def run_many_kills_test(case: AppCase, data: Sequence[str], folder: Path, kills: int) -> None:
    """A training killed again and again, at any moment, equals one left alone.

    Args:
        case: the application.
        data: the DATA arguments.
        folder: where both run folders go.
        kills: how often it is killed.
    """
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
    """Corrupt inputs become rows, and a killed prediction, resumed, gives the same bytes.

    Args:
        case: the application.
        model: a SavedModel.
        folder: where inputs and results go.
    """
    inputs, whole, killed = folder / "inputs", folder / "whole", folder / "killed"
    inputs.mkdir()
    good, bad = case.write_inputs(inputs)
    predict = [case.command, case.predict_verb, str(model), str(inputs), "--batch-size", "2"]
    expect_success(kerasuite(*predict, "--output", whole), code=3 if bad else 0)
    assert len(read_lines(whole / "predictions.jsonl")) == good
    assert len(read_lines(whole / "errors.jsonl")) == bad
    interrupted = ("kill-after", 2, *predict, "--output", killed)
    done = kerasuite(*interrupted, module="shared.testing.interrupted")
    expect_success(done, code=-signal.SIGKILL)
    assert 2 <= len(read_lines(killed / "predictions.jsonl")) < good
    expect_success(kerasuite(*predict, "--output", killed, "--resume"), code=3 if bad else 0)
    for path in whole.rglob("*"):
        if path.is_file():
            twin = killed / path.relative_to(whole)
            assert path.read_bytes() == twin.read_bytes(), path


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Records of a JSON-lines file; none if it is not there."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def read_history(run: Path) -> list[dict[str, float]]:
    """Rows of a run's history.csv."""
    return read_csv(run / "history.csv")


def run_devices_test(case: AppCase, data: Sequence[str], batch_size: int) -> None:
    """The losses of the first steps agree on one device and on two.

    So do those of a batch in halves, where the application allows it.

    Args:
        case: the application.
        data: the DATA arguments.
        batch_size: int. Odd sizes are split unevenly.
    """
    one = step_losses(case, data, batch_size, "single")
    two = step_losses(case, data, batch_size, "mirrored", devices="cpu:2")
    np.testing.assert_allclose(two, one, rtol=LOSSES_RTOL)
    if load_app(case.import_path).independent_rows and available_cores() > 1:
        halves = half_losses(case, data, batch_size)
        np.testing.assert_allclose(halves, one, rtol=LOSSES_RTOL)


def run_workers_test(case: AppCase, data: Sequence[str], batch_size: int) -> None:
    """The losses of the first steps agree in one process and on two workers.

    Args:
        case: the application.
        data: the DATA arguments.
        batch_size: int. Odd sizes are split unevenly.
    """
    one = step_losses(case, data, batch_size, "single")
    workers = worker_losses(case, data, batch_size, count=2)
    np.testing.assert_allclose(workers, [one, one], rtol=LOSSES_RTOL)


def step_losses(case, data, batch_size, strategy: str, **options: str) -> list[float]:
    """Losses of the first steps, computed in a process of its own.

    Args:
        case: the application.
        data: the DATA arguments.
        batch_size: int. The global batch.
        strategy: as for `--strategy`.
        **options: further options of `strategy_losses`.
    """
    arguments = _losses_arguments(case, data, batch_size, strategy, **options)
    return _losses_of(start(*arguments, module=LOSSES))


def half_losses(case, data, batch_size, **options: str) -> list[float]:
    """The same where batches are trained in halves, see `cpu_data_parallel`; needs two cores."""
    cores = {name: value for name, value in os.environ.items() if name != THREADS}
    arguments = _losses_arguments(case, data, batch_size, "single", **options)
    return _losses_of(start(*arguments, "--halves", module=LOSSES, environment=cores))


def worker_losses(case: AppCase, data, batch_size: int, count: int) -> list[list[float]]:
    """The same on `count` workers: what each of them saw."""
    arguments = _losses_arguments(case, data, batch_size, "multiworker")
    return [_losses_of(process) for process in start_workers(count, *arguments, module=LOSSES)]


def _losses_arguments(case, data, batch_size, strategy, **options) -> list[str]:
    settings = (f"--set={leaf}={value}" for leaf, value in case.settings.items())
    further = (f"--{name}={value}" for name, value in options.items())
    return [
        case.import_path, *data, "--batch-size", str(batch_size), "--strategy", strategy,
        "--steps", str(case.compared_steps), *settings, *further,
    ]  # fmt: skip


def _losses_of(process) -> list[float]:
    try:
        out, errors = process.communicate(timeout=600)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    return json.loads(out.splitlines()[-1])

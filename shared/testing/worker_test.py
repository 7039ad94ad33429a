"""The checks of `app_test.py` that take two workers: training, evaluation and prediction."""

import json
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from shared.testing.app_test import LOSSES_RTOL, AppCase, newest_step
from shared.testing.processes import (
    expect_success,
    expect_workers,
    kerasuite,
    kill_when,
    start,
    start_workers,
    wait_until,
)


def run_two_workers_test(case: AppCase, data: Sequence[str], folder: Path) -> None:
    """Two workers leave one complete run folder, also when they are stopped on the way.

    Args:
        case: the application.
        data: the DATA arguments.
        folder: the run folder.
    """
    workers = start_workers(2, *case.training(data, folder))
    wait_until(workers[0], lambda: newest_step(folder) >= 1)
    for process in workers:
        process.send_signal(signal.SIGTERM)
    expect_workers(workers, code=128 + signal.SIGTERM)
    stopped_at = newest_step(folder)
    expect_workers(start_workers(2, case.command, case.verb, "--output", folder, "--resume"))
    assert newest_step(folder) > stopped_at
    assert (folder / "metrics.json").exists()


def run_shared_evaluation_test(case: AppCase, trained: Path, folder: Path) -> None:
    """Two workers find the metrics that a run's training on one device found.

    Args:
        case: the application.
        trained: the run folder.
        folder: where a copy of it goes.
    """
    shutil.copytree(trained, folder)
    before = json.loads((folder / "metrics.json").read_text())
    (folder / "metrics.json").unlink()
    expect_workers(start_workers(2, case.command, "evaluate", folder))
    after = json.loads((folder / "metrics.json").read_text())
    assert before.keys() == after.keys()
    for name, value in before.items():
        if isinstance(value, float):
            np.testing.assert_allclose(after[name], value, rtol=LOSSES_RTOL, err_msg=name)


def run_launch_test(case: AppCase, data: Sequence[str], folder: Path) -> None:
    """The same with `kerasuite launch`, whose workers are new Python processes; and evaluation.

    Args:
        case: the application.
        data: the DATA arguments.
        folder: the run folder.
    """
    launch = ("launch", "--workers", "2", "--")
    process = start(*launch, *case.training(data, folder))
    kill_when(process, lambda: newest_step(folder) >= 1, signal.SIGTERM)
    assert process.returncode == 128 + signal.SIGTERM
    stopped_at = newest_step(folder)
    resume = (case.command, case.verb, "--output", folder, "--resume")
    expect_success(kerasuite(*launch, *resume))
    assert newest_step(folder) > stopped_at
    before = (folder / "metrics.json").read_bytes()
    expect_success(kerasuite(*launch, case.command, "evaluate", folder))
    assert (folder / "metrics.json").read_bytes() == before


def run_shared_prediction_test(case: AppCase, model: Path, folder: Path) -> None:
    """Two workers predict what one does, in the same order.

    Args:
        case: the application.
        model: a SavedModel.
        folder: where inputs and results go.
    """
    inputs, alone, shared = folder / "inputs", folder / "alone", folder / "shared"
    inputs.mkdir()
    _, bad = case.write_inputs(inputs)
    code = 3 if bad else 0
    predict = [case.command, case.predict_verb, str(model), str(inputs), "--batch-size", "1"]
    expect_success(kerasuite(*predict, "--output", alone), code)
    workers = start_workers(2, *predict, "--output", shared)
    # A worker whose part has no corrupt input ends with 0.
    assert max(process.wait(timeout=600) for process in workers) == code
    for name in ("predictions.jsonl", "errors.jsonl"):
        if (alone / name).exists():
            assert (alone / name).read_bytes() == (shared / name).read_bytes(), name

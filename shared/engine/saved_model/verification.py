"""Compares SavedModels with their live functions, in a process without this project's code."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from shared.common.errors import KerasuiteError
from shared.common.files import write_json
from shared.engine.app import ServingModule
from shared.engine.saved_model import verify_export

# Inputs of each signature, see `ServingModule.examples`.
Examples = dict[str, dict[str, Any]]


def verify(jobs: list[tuple[Path, ServingModule, Examples, float]]) -> None:
    """Loads SavedModels in one fresh process and compares them with their live functions.

    Args:
        jobs: (folder, module, its examples, tolerance) of each SavedModel.

    Raises:
        KerasuiteError: if one cannot be loaded or answers otherwise.
    """
    described = [
        {
            "folder": str(folder.absolute()),
            "tolerance": tolerance,
            "signatures": _cases(module, examples),
        }
        for folder, module, examples, tolerance in jobs
    ]
    require_no_problems(Path(verify_export.__file__), described)


def require_no_problems(script: Path, jobs: list[dict[str, Any]]) -> None:
    """Has a script judge exports in a fresh process.

    Args:
        script: a file that needs none of this project's code: `SCRIPT JOBS ANSWER`.
        jobs: what becomes the JSON file JOBS.

    Raises:
        KerasuiteError: if the script fails or finds problems.
    """
    with tempfile.TemporaryDirectory(prefix="kerasuite-verify-") as scratch:
        questions, answer = Path(scratch) / "jobs.json", Path(scratch) / "answer.json"
        write_json(questions, jobs)
        # -P and -E: neither this folder nor PYTHONPATH can lend it code of this project.
        command = [sys.executable, "-P", "-E", str(script), str(questions), str(answer)]
        done = subprocess.run(
            command, cwd=scratch, env=_bare_environment(), capture_output=True, text=True
        )
        if done.returncode:
            last_line = (done.stderr.strip() or "no message").splitlines()[-1][:300]
            raise KerasuiteError(
                f"the export was discarded: it does not load in a fresh process: {last_line}"
            )
        problems = json.loads(answer.read_text(encoding="utf-8"))
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise KerasuiteError(
            f"the export was discarded: it does not answer as the model does: {problems[0]}{more}"
        )


def _bare_environment() -> dict[str, str]:
    """CPU only: this process may hold all GPU memory, and a SavedModel must load anywhere."""
    environment = {key: value for key, value in os.environ.items() if key != "TF_CONFIG"}
    return environment | {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}


def _cases(module: ServingModule, examples: Examples) -> dict[str, dict[str, dict[str, str]]]:
    return {
        name: _case(specs, function, examples[name])
        for name, (specs, function) in module.signatures().items()
    }


def _case(
    specs: Mapping[str, tf.TensorSpec], function: Callable, example: Mapping[str, Any]
) -> dict[str, dict[str, str]]:
    inputs = {key: tf.constant(example[key], spec.dtype) for key, spec in specs.items()}
    with full_float32():
        outputs = function(**inputs)
    return {
        "inputs": {key: verify_export.encode(value) for key, value in inputs.items()},
        "expected": {key: verify_export.encode(value) for key, value in outputs.items()},
    }


@contextlib.contextmanager
def full_float32() -> Iterator[None]:
    """Computes as the other process does on the CPU: without TensorFloat-32."""
    fast = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(fast)

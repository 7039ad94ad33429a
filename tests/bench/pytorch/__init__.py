"""The same networks in PyTorch, measured on this machine where PyTorch is installed.

PyTorch and transformers are no part of the project: another Python that has them runs the scripts
of this folder, on the CPU. Each takes its arguments as one JSON object and prints its figures as
another; none imports anything of the project.
"""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.measure import Skipped

# A Python that has torch and transformers, and onnx for the row `detect-onnx`.
VARIABLE = "KERASUITE_PYTORCH"
SCRIPTS = Path(__file__).parent
GOAL = 1.2  # How much faster than PyTorch networks of images shall be.


def reference(name: str, **arguments) -> dict[str, float] | None:
    """The measurement of a script of this folder, or None where there is no PyTorch.

    Args:
        name: "bert", "marian", "language", "cyclegan", "srresnet" or "detector".
        arguments: those of the script's `measure`, anything that JSON can hold.

    Returns:
        Its figures by name, in the units that its `measure` tells.
    """
    python = interpreter()
    if python is None:
        return None
    command = [python, str(SCRIPTS / f"{name}.py"), json.dumps(arguments)]
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(f"{name}.py in {python}: {_last_line(done.stderr)}")
    return json.loads(_last_line(done.stdout))


def beside(
    measure: Callable[[], Any], name: str, **arguments
) -> tuple[Any, dict[str, float] | None]:
    """The result of `measure`, and the mean of `reference` before and after it.

    A machine that becomes faster or slower meanwhile is so for both.
    """
    before = reference(name, **arguments)
    measured = measure()
    after = reference(name, **arguments)
    return measured, before and {key: (before[key] + after[key]) / 2 for key in before}


def interpreter() -> str | None:
    """The Python of KERASUITE_PYTORCH, else this one; None where PyTorch is missing."""
    if named := os.environ.get(VARIABLE):
        return named
    installed = all(importlib.util.find_spec(name) for name in ("torch", "transformers"))
    return sys.executable if installed else None


def need_pytorch() -> None:
    """Raises Skipped where there is neither PyTorch nor a stored figure to compare with."""
    if interpreter() is None:
        raise Skipped(f"no PyTorch to compare with; {VARIABLE} names a Python that has it")


def figure(
    measured: dict[str, float] | None, name: str, stored: float, where: str = "on two such cores"
) -> tuple[float, str]:
    """A measured figure, or the stored one where nothing was measured; and whose it is.

    Args:
        measured: what `reference` gave.
        name: of the figure.
        stored: the figure of another machine, in the same unit.
        where: which machine that was.
    """
    if measured is None:
        return stored, f"PyTorch {where}"
    return measured[name], "PyTorch here"


def compared(seconds: float, measured: dict[str, float] | None, stored: float | None = None) -> str:
    """Details of a row: PyTorch's seconds beside our own.

    >>> compared(0.5, {"seconds": 0.7})
    'PyTorch here 700 ms, 1.40 times ours (goal 1.2)'
    >>> compared(0.5, None, stored=0.7)
    'PyTorch on two such cores 700 ms, 1.40 times ours (goal 1.2)'
    """
    if measured is None and stored is None:
        return "no PyTorch here"
    theirs, whose = figure(measured, "seconds", stored)
    return f"{whose} {1000 * theirs:.0f} ms, {theirs / seconds:.2f} times ours (goal {GOAL:g})"


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "(nothing printed)"

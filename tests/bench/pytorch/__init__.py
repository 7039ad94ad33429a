"""The same networks in PyTorch, measured on this machine where PyTorch is installed.

PyTorch and transformers are no part of the project: another Python that has them runs the scripts
of this folder, on the CPU. Each takes its arguments as one JSON object and prints its figures as
another; none imports anything of the project.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

# A Python that has torch and transformers.
VARIABLE = "KERASUITE_PYTORCH"
SCRIPTS = Path(__file__).parent


def reference(name: str, **arguments) -> dict[str, float] | None:
    """What a script of this folder measures, or None where there is no PyTorch.

    Args:
        name: "bert", "marian", "cyclegan" or "srresnet".
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


def interpreter() -> str | None:
    """The Python of KERASUITE_PYTORCH, else this one; None where PyTorch is missing."""
    if named := os.environ.get(VARIABLE):
        return shutil.which(named)
    installed = all(importlib.util.find_spec(name) for name in ("torch", "transformers"))
    return sys.executable if installed else None


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


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "(nothing printed)"

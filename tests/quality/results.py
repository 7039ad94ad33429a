"""Rows of the table of results: printed by the runs of `make quality`, kept in docs/results."""

import json
import os
import platform
import subprocess
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "results"


def write_result(
    name: str,
    command: str,
    data: str,
    metric: str,
    figure: str,
    seconds: float | None = None,
    published: str = "",
    folder: Path = FOLDER,
) -> None:
    """Prints a row and writes it to docs/results/NAME.json.

    `python docs/results_table.py` brings it into README.md.

    Args:
        name: file name without its suffix.
        command: as a user types it, from `kerasuite` on; its second word is the task.
        data: what was trained on and what the figure is of.
        metric: name of the figure.
        figure: the figure as text, with its unit.
        seconds: of the training.
        published: figures of others for the same, with their setting.
        folder: where the rows are.
    """
    row = {
        "task": command.split()[1],
        "data": data,
        "metric": metric,
        "figure": figure,
        "published": published,
        "time": "" if seconds is None else duration(seconds),
        "hardware": hardware(),
        "command": command,
    }
    print(f"\n{name}: {row}")
    text = json.dumps(row, indent=2, ensure_ascii=False) + "\n"
    (folder / f"{name}.json").write_text(text, encoding="utf-8")


def duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def hardware() -> str:
    """The GPUs that are used, or the cores that this process may use."""
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        found = ""
    names = found.strip().splitlines()
    if names:
        return f"{len(names)} x {names[0]}"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} CPU cores ({platform.machine()})"

"""`kerasuite demo`: every application end to end on offline samples, with a page of results.

Each step is a command line as a user would type it, run in a process of its own and shown on
the page with what it printed.
"""

import importlib
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from shared.common.config import did_you_mean
from shared.common.errors import KerasuiteError
from shared.report.page import Page

# Task to the place of the function that demonstrates it.
DEMOS = {
    "embed": "apps.embeddings.demo:demonstrate",
    "classify": "apps.vision.classification.demo:demonstrate",
    "detect": "apps.vision.detection.demo:demonstrate",
    "translate": "apps.translation.demo:demonstrate",
    "bert": "apps.bert.demo:demonstrate",
    "cyclegan": "apps.generative.cyclegan.demo:demonstrate",
    "srgan": "apps.generative.srgan.demo:demonstrate",
}


class Demo:
    """The folder and the page of a demonstration.

    Args:
        folder: where everything is written.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.page = Page("kerasuite demo")
        self._console = Console(soft_wrap=True, highlight=False)

    def command(self, *arguments: Any) -> str:
        """Runs `kerasuite ARGUMENTS...` and shows it; returns what it printed.

        Raises:
            KerasuiteError: if the command fails.
        """
        words = [str(argument) for argument in arguments]
        line = shlex.join(["kerasuite", *words])
        self._console.print(f"[bold]$ {line}[/bold]")
        started = time.perf_counter()
        # Progress goes to the terminal; what a command prints at its end is also for the page.
        done = subprocess.run(
            [sys.executable, "-m", "cli", *words],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": _import_path()},
        )
        self._console.print(done.stdout, end="", markup=False)
        if done.returncode not in (0, 3):
            raise KerasuiteError(f"demo: '{line}' ended with exit code {done.returncode}")
        seconds = time.perf_counter() - started
        self.page.code(f"$ {line}\n{done.stdout}({seconds:.0f} s)")
        return done.stdout

    def json(self, path: Path) -> Any:
        """Reads a JSON file that a command wrote."""
        return json.loads(path.read_text(encoding="utf-8"))

    def lines(self, path: Path) -> list[Any]:
        """Reads a JSON-lines file that a command wrote."""
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _import_path() -> str:
    """Lets `python -m cli` work from any folder, also in a checkout that is not installed."""
    return os.pathsep.join([str(Path(__file__).resolve().parent.parent), *filter(None, sys.path)])


def run_demo(folder: Path, tasks: list[str]) -> Path:
    """Demonstrates `tasks`, by default all; returns the page.

    Raises:
        KerasuiteError: if a task is unknown, the folder is in use or a command fails.
    """
    for task in tasks:
        if task not in DEMOS:
            raise KerasuiteError(
                f"demo {task}: unknown{did_you_mean(task, DEMOS)}; one of {', '.join(DEMOS)}"
            )
    folder = _fresh_folder(folder)
    demo = Demo(folder)
    demo.page.text("Every command below was run as shown, on data that need no network.")
    started = time.perf_counter()
    for task in tasks or DEMOS:
        module, _, function = DEMOS[task].partition(":")
        getattr(importlib.import_module(module), function)(demo)
        demo.page.write(folder / "index.html")
    demo.page.text(f"All of it took {time.perf_counter() - started:.0f} s.")
    demo.page.write(folder / "index.html")
    return folder / "index.html"


def _fresh_folder(folder: Path) -> Path:
    """The folder, or with a number behind it if an earlier demo is in it."""
    candidate, number = folder, 1
    while candidate.exists():
        number += 1
        candidate = folder.with_name(f"{folder.name}-{number}")
    candidate.mkdir(parents=True)
    return candidate

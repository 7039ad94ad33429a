"""`kerasuite demo`: every application end to end on offline samples, with a page of results.

Each step is a command line as a user would type it, run in a process of its own and shown on the
page with what it printed. The page can be opened from the beginning; every task adds its part.
"""

import contextlib
import importlib
import json
import multiprocessing
import os
import runpy
import shlex
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from shared.common.config import did_you_mean
from shared.common.console import console
from shared.common.errors import DONE, SOME_REJECTED, KerasuiteError
from shared.engine.load_app import load_module
from shared.report.page import Page

# A forked command finds TensorFlow and its application imported, which takes 5 to 10 s of CPU time
# otherwise. The system libraries of macOS do not survive a fork.
CONTEXT = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")


@dataclass(frozen=True)
class Part:
    """A task's part of the demonstration.

    Attributes:
        title: its heading.
        module: import path of the module whose `demonstrate(demo)` runs the task's commands,
            fills `demo.page` and returns the picture file for the table of contents.
        app: import path of the module that the commands spend most time importing.
    """

    title: str
    module: str
    app: str


DEMOS = {
    "embed": Part("Word embeddings", "apps.embeddings.demo", "apps.embeddings.app"),
    "classify": Part(
        "Image classification",
        "apps.vision.classification.demo",
        "apps.vision.classification.app",
    ),
    "detect": Part("Object detection", "apps.vision.detection.demo", "apps.vision.detection.app"),
    "translate": Part("Translation", "apps.translation.demo", "apps.translation.app"),
    "lm": Part("Language models", "apps.language.demo", "apps.language.app"),
    "bert": Part("BERT", "apps.bert.demo", "apps.bert.distillation.app"),
    "table": Part("Tables", "apps.tables.perceptrons.demo", "apps.tables.perceptrons.app"),
    "forecast": Part("Time series", "apps.tables.forecast.demo", "apps.tables.forecast.app"),
    "gan": Part("Pictures from noise", "apps.generative.gan.demo", "apps.generative.gan.app"),
    "autoencoder": Part(
        "Autoencoders", "apps.generative.autoencoder.demo", "apps.generative.autoencoder.app"
    ),
    "cyclegan": Part(
        "Translation of images without pairs",
        "apps.generative.cyclegan.demo",
        "apps.generative.cyclegan.app",
    ),
    "srgan": Part("Super-resolution", "apps.generative.srgan.demo", "apps.generative.srgan.app"),
}


class Demo:
    """A demonstration in progress.

    Args:
        folder: where everything is written.
        tasks: names in `DEMOS`.

    Attributes:
        folder: folder of the task in progress; no two tasks share one.
        page: the parts of the tasks, without the table of contents.
    """

    def __init__(self, folder: Path, tasks: list[str]):
        self._root, self.folder, self.page = folder, folder, Page("")
        self._pictures: dict[str, Path | None] = dict.fromkeys(tasks)
        self._costs: list[tuple[str, float, float]] = []

    @property
    def index(self) -> Path:
        """The page's file."""
        return self._root / "index.html"

    def run(self) -> None:
        """Runs all tasks and rewrites the page after each.

        Raises:
            KerasuiteError: if a command fails.
        """
        self._write_page()
        console.print(f"{self.index} grows with every task; open it at any time.")
        for task in self._pictures:
            part, started, cpu = DEMOS[task], time.perf_counter(), cpu_seconds()
            if CONTEXT.get_start_method() == "fork":
                load_module("keras")
                load_module(part.app)
            self.folder = self._root / task
            self.folder.mkdir()
            self.page.heading(part.title, anchor=task)
            self._pictures[task] = importlib.import_module(part.module).demonstrate(self)
            self._costs.append((task, time.perf_counter() - started, cpu_seconds() - cpu))
            self._write_page()
        seconds, cpu = (sum(cost[i] for cost in self._costs) for i in (1, 2))
        console.print(f"All of it took {seconds:.0f} s, {cpu / 60:.1f} minutes of CPU time.")

    def command(self, *arguments: Any) -> str:
        """Runs `kerasuite ARGUMENTS...` and shows it; returns what it printed.

        Raises:
            KerasuiteError: if the command fails.
        """
        words = [str(argument) for argument in arguments]
        line = shlex.join(["kerasuite", *words])
        console.print(f"[bold]$ {line}[/bold]")
        started = time.perf_counter()
        # Progress goes to the terminal; what a command prints at its end is also for the page.
        exit_code, printed = _run(words)
        console.print(printed, end="", markup=False)
        if exit_code not in (DONE, SOME_REJECTED):
            raise KerasuiteError(f"demo: '{line}' ended with exit code {exit_code}")
        self.page.code(f"$ {line}\n{printed}({time.perf_counter() - started:.0f} s)")
        return printed

    def json(self, path: Path) -> Any:
        """Reads a JSON file that a command wrote."""
        return json.loads(path.read_text(encoding="utf-8"))

    def lines(self, path: Path) -> list[Any]:
        """Reads a JSON-lines file that a command wrote."""
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def _write_page(self) -> None:
        whole = Page("kerasuite demo")
        whole.text("Every command below was run as shown, on data that need no network.")
        whole.contents(
            [(task, DEMOS[task].title, picture) for task, picture in self._pictures.items()]
        )
        whole.extend(self.page)
        if self._costs:
            whole.heading("Time")
            total = ("all", *(sum(cost[i] for cost in self._costs) for i in (1, 2)))
            whole.table(
                [(name, round(s), round(cpu)) for name, s, cpu in [*self._costs, total]],
                ["task", "seconds", "CPU seconds"],
            )
        whole.write(self.index)


def _run(words: list[str]) -> tuple[int, str]:
    """Exit code and standard output of a command line."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "stdout"
        process = CONTEXT.Process(target=_command_line, args=(words, output))
        process.start()
        try:
            process.join()
        finally:
            if process.is_alive():
                process.terminate()
                process.join()
        text = output.read_text(encoding="utf-8")
    # Forked from a process on a terminal, a command prints colours.
    printed = Text.from_ansi(text).plain.rstrip()
    return process.exitcode, f"{printed}\n" if printed else ""


def _command_line(words: list[str], output: Path) -> None:
    """Becomes `kerasuite WORDS...`, with its standard output in a file."""
    sys.argv = ["kerasuite", *words]
    with open(output, "w", encoding="utf-8") as stream, contextlib.redirect_stdout(stream):
        os.dup2(stream.fileno(), 1)  # for what does not print through Python
        runpy.run_module("cli", run_name="__main__", alter_sys=True)


def cpu_seconds() -> float:
    """CPU time of this process and of those that it has waited for, user and system."""
    return sum(os.times()[:4])


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
    demo = Demo(_fresh_folder(folder), tasks or list(DEMOS))
    demo.run()
    return demo.index


def _fresh_folder(folder: Path) -> Path:
    """The folder, or with a number behind it if an earlier demo is in it."""
    candidate, number = folder, 1
    while candidate.exists():
        number += 1
        candidate = folder.with_name(f"{folder.name}-{number}")
    candidate.mkdir(parents=True)
    return candidate

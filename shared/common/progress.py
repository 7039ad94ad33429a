"""Progress of long work on standard error: a bar on a terminal, a line now and then in a log."""

import threading
import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, Task
from rich.progress import Progress as Bar
from rich.text import Text


class Progress:
    """Shows how much is done, the rate of the last half minute, the time left and metrics.

    Args:
        total: int or None. How much there is to do; None while that is unknown.
        unit: str. What is counted, in the singular ("image", "step").
        description: str. What is going on ("predict", "epoch 3/10").
        enabled: bool. False shows nothing.
        interval: float. Seconds between two lines where there is no terminal.
        console: rich Console. Where to show it; standard error by default.

    All methods may be called from any thread.
    """

    def __init__(
        self,
        total: int | None = None,
        unit: str = "item",
        description: str = "",
        *,
        enabled: bool = True,
        interval: float = 10.0,
        console: Console | None = None,
    ):
        self.unit = unit
        self.description = description
        self.metrics = ""
        self._enabled = enabled
        self._interval = interval
        self._console = console or Console(stderr=True)
        self._lock = threading.RLock()
        self._skipped = 0
        self._text_at = 0.0
        self._printed_at, self._printed = time.monotonic(), None
        # Not started where there is no terminal: then it only counts.
        self._bar = Bar(
            SpinnerColumn(finished_text=" "),
            _TextColumn(lambda: self.description),
            BarColumn(bar_width=30),
            _TextColumn(self.status),
            _TextColumn(lambda: self.metrics, style="cyan"),
            console=self._console,
            get_time=time.monotonic,
        )
        self._id = self._bar.add_task("", total=total)
        terminal = self._console.is_terminal and not self._console.is_dumb_terminal
        self._draws, self._prints = enabled and terminal, enabled and not terminal

    def __enter__(self) -> "Progress":
        self._bar.reset(self._id)
        if self._draws:
            self._bar.start()
        return self

    def __exit__(self, *exception) -> None:
        with self._lock:
            if self._draws:
                self._bar.stop()
            elif self._prints and self.completed != self._printed:
                self._print_line()

    @property
    def completed(self) -> int:
        """How much is done."""
        return self._task.completed

    @property
    def _task(self) -> Task:
        return self._bar.tasks[0]

    def advance(self, count: int = 1) -> None:
        """Adds `count` to what is done."""
        self._bar.advance(self._id, count)
        self._print_if_due()

    def text(self, metrics: str) -> None:
        """Replaces the text of the last column."""
        self.metrics, self._text_at = metrics, time.monotonic()
        self._print_if_due()

    def is_due(self) -> bool:
        """Whether a new `text` is worth its making: once a second, if anything is shown."""
        return self._enabled and time.monotonic() - self._text_at >= 1.0

    def skip(self, count: int) -> None:
        """Counts what does not enter the rate: an earlier run's, or slow for once."""
        with self._lock:
            self._skipped += count
            self._bar.reset(self._id, completed=self.completed + count)

    def set_total(self, total: int | None) -> None:
        """Gives the total as soon as it is known."""
        self._bar.update(self._id, total=total)

    def log(self, text: str) -> None:
        """Writes a line above the bar."""
        if self._enabled:
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def rate(self) -> float:
        """Units a second over the last half minute; 0 before the first."""
        task = self._task
        if task.speed is None and task.elapsed:
            return (task.completed - self._skipped) / task.elapsed
        return task.speed or 0.0

    def status(self) -> str:
        """The line without description and metrics: `1,240/20,000 images, 83.1/s, 3:46 left`."""
        completed, total, rate = self.completed, self._task.total, self.rate()
        of = f"/{total:,}" if total is not None else ""
        parts = [f"{completed:,}{of} {self.unit}s"]
        if rate > 0:
            parts.append(f"{rate:.3g}/s" if rate < 100 else f"{rate:,.0f}/s")
            if total is not None and total > completed:
                parts.append(f"{duration((total - completed) / rate)} left")
        return ", ".join(parts)

    def _print_if_due(self) -> None:
        with self._lock:
            if self._prints and time.monotonic() - self._printed_at >= self._interval:
                self._print_line()

    def _print_line(self) -> None:
        heading = f"{self.description}: " if self.description else ""
        self.log(heading + "  ".join(text for text in (self.status(), self.metrics) if text))
        self._printed_at, self._printed = time.monotonic(), self.completed


class _TextColumn(ProgressColumn):
    """Text as it is, made when the bar is drawn."""

    def __init__(self, text: Callable[[], str], style: str = ""):
        self._text, self._style = text, style
        super().__init__()

    def render(self, task: Task) -> Text:
        return Text(self._text(), self._style)


def duration(seconds: float) -> str:
    """Seconds as `m:ss` or `h:mm:ss`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"

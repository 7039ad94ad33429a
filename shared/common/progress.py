"""Progress of long work on standard error: a bar on a terminal, a line now and then in a log."""

import collections
import threading
import time

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn
from rich.progress import Progress as Bar

_RATE_WINDOW = 30.0  # Seconds; long enough to be steady, short enough to follow a change.


class Progress:
    """Shows how much is done, the rate, the time left and a few metrics.

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
        self.total = total
        self.unit = unit
        self.description = description
        self.metrics = ""
        self.completed = 0
        self._enabled = enabled
        self._interval = interval
        self._console = console or Console(stderr=True)
        self._lock = threading.RLock()
        self._bar: Bar | None = None
        self._text_at = 0.0
        self._reset_clock()

    def __enter__(self) -> "Progress":
        self._reset_clock()
        terminal = self._console.is_terminal and not self._console.is_dumb_terminal
        if self._enabled and terminal:
            self._bar = Bar(
                SpinnerColumn(finished_text=" "),
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=30),
                TextColumn("{task.fields[status]}", markup=False),
                TextColumn("{task.fields[metrics]}", style="cyan", markup=False),
                console=self._console,
            )
            self._task = self._bar.add_task(self.description, total=self.total, **self._texts())
            self._bar.start()
        return self

    def __exit__(self, *exception) -> None:
        with self._lock:
            if self._bar is not None:
                self._bar.stop()
                self._bar = None
            elif self._enabled and self.completed != self._printed:
                self._print_line()

    def advance(self, count: int = 1) -> None:
        """Adds `count` to what is done."""
        with self._lock:
            self.completed += count
            self._sample()
            self._show()

    def text(self, metrics: str) -> None:
        """Replaces the text of the last column."""
        with self._lock:
            self.metrics, self._text_at = metrics, time.monotonic()
            self._show()

    def is_due(self) -> bool:
        """Whether a new `text` is worth its making: once a second, if anything is shown."""
        return self._enabled and time.monotonic() - self._text_at >= 1.0

    def skip(self, count: int) -> None:
        """Counts what an earlier run has done, which does not enter the rate."""
        with self._lock:
            self.completed += count
            self._reset_clock()
            self._show()

    def set_total(self, total: int | None) -> None:
        """Gives the total as soon as it is known."""
        with self._lock:
            self.total = total
            self._show()

    def restart(self, total: int | None, description: str) -> None:
        """Begins the next stage (an epoch, say) in the same place."""
        with self._lock:
            self.total, self.description, self.completed = total, description, 0
            self._reset_clock()
            self._show()

    def log(self, text: str) -> None:
        """Writes a line above the bar."""
        if self._enabled:
            self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def rate(self) -> float:
        """Units a second over the last half minute; 0 before the first."""
        with self._lock:
            (start, before), (end, after) = self._samples[0], self._samples[-1]
            return (after - before) / (end - start) if end > start else 0.0

    def status(self) -> str:
        """The line without description and metrics: `1,240/20,000 images, 83.1/s, 3:46 left`."""
        with self._lock:
            of = f"/{self.total:,}" if self.total is not None else ""
            parts = [f"{self.completed:,}{of} {self.unit}s"]
            rate = self.rate()
            if rate > 0:
                parts.append(f"{rate:.3g}/s" if rate < 100 else f"{rate:,.0f}/s")
                if self.total is not None and self.total > self.completed:
                    parts.append(f"{duration((self.total - self.completed) / rate)} left")
            return ", ".join(parts)

    def _reset_clock(self) -> None:
        now = time.monotonic()
        self._samples = collections.deque([(now, self.completed)])
        self._printed_at, self._printed = now, None

    def _sample(self) -> None:
        """Keeps about two samples a second of the last half minute."""
        now = time.monotonic()
        if len(self._samples) > 1 and now - self._samples[-2][0] < 0.5:
            self._samples.pop()
        self._samples.append((now, self.completed))
        while len(self._samples) > 2 and now - self._samples[1][0] > _RATE_WINDOW:
            self._samples.popleft()

    def _texts(self) -> dict[str, str]:
        return {"status": self.status(), "metrics": self.metrics}

    def _show(self) -> None:
        if self._bar is not None:
            self._bar.update(
                self._task,
                description=self.description,
                total=self.total,
                completed=self.completed,
                **self._texts(),
            )
        elif self._enabled and time.monotonic() - self._printed_at >= self._interval:
            self._print_line()

    def _print_line(self) -> None:
        heading = f"{self.description}: " if self.description else ""
        self.log(heading + "  ".join(text for text in self._texts().values() if text))
        self._printed_at, self._printed = time.monotonic(), self.completed


def duration(seconds: float) -> str:
    """Seconds as `m:ss` or `h:mm:ss`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"

import io
import threading

import pytest
from rich.console import Console

from shared.common import progress as progress_module
from shared.common.progress import Progress, duration


class Clock:
    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress_module.time, "monotonic", clock.monotonic)
    return clock


def plain():
    return Console(file=io.StringIO(), force_terminal=False, width=60)


def lines(console):
    return console.file.getvalue().splitlines()


def test_plain_lines_come_every_interval(clock):
    console = plain()
    with Progress(1000, "image", "predict", console=console) as progress:
        for _ in range(200):
            clock.now += 0.125
            progress.advance(2)
    assert lines(console) == [
        "predict: 160/1,000 images, 16/s, 0:52 left",
        "predict: 320/1,000 images, 16/s, 0:42 left",
        "predict: 400/1,000 images, 16/s, 0:38 left",
    ]


def test_metrics_and_unknown_total(clock):
    console = plain()
    with Progress(None, "step", "train", console=console) as progress:
        assert progress.is_due()
        progress.text("loss 0.5 [bold]x")
        assert not progress.is_due()
        clock.now += 11
        assert progress.is_due()
        progress.advance(11)
    assert lines(console) == ["train: 11 steps, 1/s  loss 0.5 [bold]x"]


def test_total_can_come_late(clock):
    with Progress(None, console=plain()) as progress:
        clock.now += 2
        progress.advance(10)
        assert progress.status() == "10 items, 5/s"
        progress.set_total(20)
        assert progress.status() == "10/20 items, 5/s, 0:02 left"


def test_skipped_work_does_not_enter_the_rate(clock):
    with Progress(1000, console=plain()) as progress:
        clock.now += 1
        progress.skip(900)
        clock.now += 5
        progress.advance(10)
        assert progress.rate() == 2
        assert progress.status() == "910/1,000 items, 2/s, 0:45 left"


def test_rate_follows_a_change(clock):
    with Progress(10_000, console=plain()) as progress:
        for _ in range(1000):
            clock.now += 0.1
            progress.advance(10)
        assert progress.rate() == pytest.approx(100)
        for _ in range(40):
            clock.now += 1
            progress.advance(1)
        assert progress.rate() == pytest.approx(1)


def test_log_lines(clock):
    console = plain()
    with Progress(10, console=console) as progress:
        progress.log("epoch 1 " + "x" * 100)
    assert lines(console)[0] == "epoch 1 " + "x" * 100


def test_disabled_is_silent(clock):
    console = plain()
    with Progress(10, enabled=False, console=console) as progress:
        clock.now += 60
        progress.advance(5)
        progress.text("loss 1")
        progress.log("hello")
        assert not progress.is_due()
    assert not console.file.getvalue()


def test_bar_on_a_terminal():
    console = Console(
        file=io.StringIO(), force_terminal=True, width=100, _environ={"TERM": "xterm"}
    )
    with Progress(50, "image", "predict [x]", console=console) as progress:
        progress.text("3 rejected")
        progress.advance(20)
        progress.log("a line")
        progress.advance(30)
    text = console.file.getvalue()
    for part in ("predict [x]", "50/50 images", "3 rejected", "a line"):
        assert part in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1  # The cursor comes back.


def test_dumb_terminals_get_lines():
    console = Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"})
    with Progress(2, console=console) as progress:
        progress.advance(2)
    assert lines(console)[-1].startswith("2/2 items")


def test_many_threads():
    with Progress(4000, console=plain()) as progress:
        threads = [
            threading.Thread(target=lambda: [progress.advance() for _ in range(1000)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert progress.completed == 4000


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3599, "59:59"), (36610, "10:10:10")]
)
def test_duration(seconds, text):
    assert duration(seconds) == text

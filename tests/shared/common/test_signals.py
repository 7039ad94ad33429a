import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from shared.common.errors import Interrupted
from shared.common.signals import catch_signals

ROOT = Path(__file__).resolve().parents[3]

BUSY = """
import hashlib, time
from shared.common.signals import catch_signals
with catch_signals() as caught:
    print("ready", flush=True)
    {wait}
    print("end", caught.raised, flush=True)
"""


@pytest.fixture(autouse=True)
def usual_handler():
    """A shell gives its background jobs an ignored SIGINT, which would stay in force here."""
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, earlier)


LOST = """
import os, signal, sys, time, weakref
import cli
from shared.common.errors import KerasuiteError

class Anything: pass

def app():
    def callback(_):
        os.kill(os.getpid(), signal.SIGTERM)
        sum(range(10))
    thing = Anything()
    reference = weakref.ref(thing, callback)
    try:
        {lose}
    except BaseException as error:
        raise KerasuiteError("cannot be loaded") from error
    print("went on", flush=True)
    time.sleep({seconds})
    print("lost", flush=True)

cli.app = app
cli.main()
"""


@pytest.mark.parametrize(
    ("lose", "seconds"),
    [("del thing", 20), ("del thing", 0), ("os.kill(os.getpid(), signal.SIGTERM)", 20)],
    ids=["in a callback", "at the very end", "as another error"],
)
def test_a_signal_ends_the_command_whatever_became_of_its_exception(lose, seconds):
    done = subprocess.run(
        [sys.executable, "-c", LOST.format(lose=lose, seconds=seconds)],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 143, done.stderr
    assert done.stderr.splitlines()[-1] == "kerasuite: interrupted"
    assert "lost" not in done.stdout or seconds == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_becomes_a_flag(number):
    with catch_signals() as caught:
        caught.stop("nothing arrived")
        os.kill(os.getpid(), number)
        assert caught.raised == number
        with pytest.raises(Interrupted, match="saved") as error:
            caught.stop("saved")
    assert error.value.exit_code == 128 + number


def test_the_first_signal_counts():
    with catch_signals() as caught:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert caught.raised == signal.SIGINT


def test_earlier_handlers_come_back():
    def mine(number, frame):
        pass

    before = signal.signal(signal.SIGTERM, mine)
    descriptor = signal.set_wakeup_fd(-1)
    try:
        with catch_signals(), catch_signals():
            assert signal.getsignal(signal.SIGTERM) is not mine
        assert signal.getsignal(signal.SIGTERM) is mine
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert signal.set_wakeup_fd(-1) == -1
        with pytest.raises(ZeroDivisionError), catch_signals():
            1 / 0  # noqa: B018
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.set_wakeup_fd(descriptor)


def test_nothing_happens_outside_the_main_thread():
    handlers = []

    def work():
        with catch_signals() as caught:
            handlers.append((signal.getsignal(signal.SIGINT), caught.raised))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [(signal.default_int_handler, None)]


def start(wait):
    return subprocess.Popen(
        [sys.executable, "-c", BUSY.format(wait=wait)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_second_interrupt_kills_even_inside_a_c_call():
    # Like TensorFlow, it runs without the GIL and goes on when a signal arrives.
    with start("hashlib.pbkdf2_hmac('sha256', b'', b'', 100_000_000)") as process:
        assert process.stdout.readline() == "ready\n"
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert time.monotonic() - began < 5


def test_one_interrupt_lets_the_work_end():
    with start("time.sleep(0.5)") as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "end 15\n"
        assert process.wait(10) == 0

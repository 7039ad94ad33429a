"""SIGINT and SIGTERM as a flag, so that long work stops where it can be resumed."""

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator

from shared.common.errors import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class CaughtSignal:
    """The signal that `catch_signals` has caught, if any.

    Attributes:
        raised: int or None. The first signal that arrived.
    """

    def __init__(self):
        self.raised: int | None = None

    def stop(self, message: str) -> None:
        """Raises `Interrupted` with `message` if a signal has arrived."""
        if self.raised is not None:
            raise Interrupted(self.raised, message)


class _Ending:
    """The signal that ends this command, if any."""

    number: int | None = None


def end_on_signals() -> None:
    """Lets SIGINT and SIGTERM end the command with `Interrupted`, wherever it is.

    Python drops an exception that is raised inside a destructor or a weak-reference callback, and
    libraries turn it into one of their own. So the signal is remembered, and `Interrupted` is
    raised again each second until `signal_of_end` is asked. A second signal ends the process.
    """
    _Ending.number = None
    for number in _SIGNALS:
        signal.signal(number, _end)


def signal_of_end() -> int | None:
    """The signal that asked the command to end, or None; it is not raised again."""
    if _Ending.number is not None and hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0)
    return _Ending.number


def _end(number, frame):
    if _Ending.number is not None:
        _exit_at_once(128 + number)
    _Ending.number = number
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, _end_again)
        signal.setitimer(signal.ITIMER_REAL, 1.0, 1.0)
    raise Interrupted(number, "interrupted")


def _end_again(number, frame):
    raise Interrupted(_Ending.number, "interrupted")


@contextlib.contextmanager
def catch_signals() -> Iterator[CaughtSignal]:
    """Turns SIGINT and SIGTERM into `.raised`; a second SIGINT ends the process at once.

    The earlier handlers come back at the end. Outside the main thread, where Python allows no
    handlers, nothing is caught and `.raised` stays None.
    """
    caught = CaughtSignal()
    if threading.current_thread() is not threading.main_thread():
        yield caught
        return

    def remember(number, frame):
        if caught.raised is None:
            caught.raised = number

    with _second_interrupt_kills():
        earlier = {number: signal.signal(number, remember) for number in _SIGNALS}
        try:
            yield caught
        finally:
            for number, handler in earlier.items():
                # None means that the handler was not set from Python and cannot be set again.
                signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextlib.contextmanager
def _second_interrupt_kills() -> Iterator[None]:
    """Watches the signals from a thread.

    Python's own handlers wait until the running call into TensorFlow returns, which can take
    minutes; the wake-up descriptor is written when the signal arrives.
    """
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    earlier = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    watcher = threading.Thread(target=_watch, args=(receiver,), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(earlier)
        sender.close()
        watcher.join()
        receiver.close()


def _watch(receiver: socket.socket) -> None:
    arrived = 0
    while numbers := receiver.recv(16):
        for number in numbers:
            if number not in _SIGNALS:
                continue
            if arrived and number == signal.SIGINT:
                _exit_at_once(128 + number)
            arrived += 1


def _exit_at_once(code: int) -> None:
    if sys.stderr.isatty():
        os.write(2, b"\x1b[?25h\n")  # A progress bar hides the cursor.
    os._exit(code)

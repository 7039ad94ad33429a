"""Peak memory of a call, measured by the operating system (Linux)."""

import contextlib
import ctypes
from collections.abc import Callable
from pathlib import Path

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"  # see proc_pid_clear_refs(5)


def peak_memory(function: Callable[[], object]) -> int | None:
    """Calls a function and returns the bytes by which the process grew meanwhile.

    Freed memory is first returned to the system, as far as the C library can. Memory that the call
    reuses all the same does not count, so that only large calls can be measured.

    Returns:
        Bytes, or None where the operating system cannot tell.
    """
    try:
        _give_back_free_memory()
        CLEAR.write_text(RESET_PEAK)
        before = _status("VmRSS")
    except OSError:
        function()
        return None
    function()
    return max(0, _status("VmHWM") - before)


def _give_back_free_memory() -> None:
    with contextlib.suppress(AttributeError, OSError, TypeError):  # glibc has it, others do not
        ctypes.CDLL(None).malloc_trim(0)


def _status(name: str) -> int:
    """A value of /proc/self/status in bytes."""
    for line in STATUS.read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return 1024 * int(value.split()[0])
    raise OSError(f"{STATUS} has no {name}")

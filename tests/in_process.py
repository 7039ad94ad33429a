"""Runs the command line within the test's process, where no process of its own is needed."""

import contextlib
import io
import signal
import subprocess
import sys
from typing import Any
from unittest import mock

import cli


def run_command(*arguments: Any) -> subprocess.CompletedProcess:
    """Exit code and output of `kerasuite ARGUMENTS...`."""
    words = ["kerasuite", *map(str, arguments)]
    out, err, code = io.StringIO(), io.StringIO(), 0
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    streams = contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)
    try:
        with mock.patch.object(sys, "argv", words), streams[0], streams[1]:
            cli.main()
    except SystemExit as end:
        code = end.code or 0
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())

"""Processes that `fork_server.py` forks.

server = ForkServer(["cli", "apps.vision.classification.app"])
process = server.start("cli", ["classify", "train", "digits"], cwd, os.environ)
out, errors = process.communicate()
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from shared.testing import fork_server

START_SECONDS = 300


class ForkServer:
    """The client's side: starts the server and asks it for processes.

    Args:
        modules: names of the modules that are imported before the first fork.
    """

    def __init__(self, modules: Sequence[str]):
        own, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket = own
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", fork_server.__name__, str(theirs.fileno()), *modules],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # Ctrl-C is for the tests, which then end what they started.
        )  # fmt: skip
        theirs.close()
        own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, fork_server.MAX_REQUEST)
        own.settimeout(START_SECONDS)
        if not own.recv(1):
            raise RuntimeError(f"the fork server did not start:\n{self._output()}")

    def start(
        self,
        module: str,
        arguments: Sequence[str],
        cwd: Path,
        environment: Mapping[str, str],
        stdin: IO | None = None,
    ) -> "ForkedProcess":
        """Runs `main()` of a module in a fork, as `python -m module` would in a new process.

        Args:
            module: name of the module.
            arguments: the command line after the program's name.
            cwd: the working directory.
            environment: all environment variables.
            stdin: file with a descriptor; by default an empty one.
        """
        request = {
            "module": module,
            "arguments": list(arguments),
            "cwd": str(cwd),
            "environment": dict(environment),
        }
        own, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        output = OutputFiles()
        with open(os.devnull, "rb") as nothing, theirs:
            files = (theirs, stdin or nothing, output.stdout, output.stderr)
            descriptors = [file.fileno() for file in files]
            socket.send_fds(self._socket, [json.dumps(request).encode()], descriptors)
        pid = own.recv(64)
        if not pid:
            raise RuntimeError(f"the fork server has ended:\n{self._output()}")
        return ForkedProcess(int(pid), own, output)

    def close(self) -> None:
        """Ends the server and the processes that still run."""
        self._socket.close()
        self._process.wait(timeout=30)
        self._log.close()

    def _output(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace")


class OutputFiles:
    """Temporary files for the standard output and errors of a process: no pipe that can fill up."""

    def __init__(self):
        self.stdout = tempfile.TemporaryFile()  # noqa: SIM115
        self.stderr = tempfile.TemporaryFile()  # noqa: SIM115

    def read(self) -> tuple[str, str]:
        """The text written to the two so far."""
        texts = []
        for file in (self.stdout, self.stderr):
            data = os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0)
            texts.append(data.decode(errors="replace"))
        return texts[0], texts[1]


class ForkedProcess:
    """A process that the server forked, with the methods of `subprocess.Popen` that tests use.

    Attributes:
        pid: int. Its process id.
        returncode: int or None. Its exit code, or minus the signal that ended it.
    """

    def __init__(self, pid: int, status: socket.socket, output: OutputFiles):
        self.pid = pid
        self.returncode: int | None = None
        self._status, self._output = status, output

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        with contextlib.suppress(BlockingIOError):
            self._receive(timeout=0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Waits for the end and returns the exit code.

        Raises:
            TimeoutError: if it takes longer than `timeout` seconds.
        """
        self._receive(timeout)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Waits for the end and returns what was written to standard output and errors."""
        self.wait(timeout)
        return self._output.read()

    def send_signal(self, number: int) -> None:
        """Sends a signal unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Sends SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _receive(self, timeout: float | None) -> None:
        if self.returncode is None:
            self._status.settimeout(timeout)
            code = self._status.recv(64)
            if not code:
                raise RuntimeError("the fork server ended before its process")
            self.returncode = int(code)
            self._status.close()

"""A process that has imported TensorFlow and the applications, and forks to run them.

    server = ForkServer(["cli", "apps.vision.classification.app"])
    process = server.start("cli", ["classify", "train", "digits"], cwd, os.environ)
    out, errors = process.communicate()

Importing takes a process several seconds, a fork some hundredths of one. The server itself never
runs an operation: TensorFlow's threads, logical devices and deterministic kernels are set in the
child, as in a process of its own.

Not for loading damaged SavedModels, which hangs in a fork, nor for tests of what is imported.
"""

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from shared.common.quiet import import_tensorflow

PACKAGES = ("apps", "shared")
MAX_REQUEST = 2**20  # Bytes: arguments and environment.
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
            [sys.executable, "-m", __name__, str(theirs.fileno()), *modules],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # Ctrl-C is for the tests, which then end what they started.
        )  # fmt: skip
        theirs.close()
        own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_REQUEST)
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
        """What was written to the two so far."""
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


@dataclass
class _Job:
    """One request: what a child has to run, and the descriptors that came with it."""

    module: str
    arguments: list[str]
    cwd: str
    environment: dict[str, str]
    descriptors: list[int]

    def run(self) -> Any:
        """Takes over the standard files, arguments and environment, and calls `main()`."""
        for number, descriptor in enumerate(self.descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        for number, name in enumerate(("stdout", "stderr"), start=1):
            stream = open(number, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
        os.chdir(self.cwd)
        os.environ.clear()
        os.environ.update(self.environment)
        sys.argv = [self.module, *self.arguments]
        return importlib.import_module(self.module).main()


class _Server:
    """Forks a child for each request and reports how it ended."""

    def __init__(self, connection: socket.socket):
        from shared.testing.autograph_cache import AutographCache

        self.connection = connection
        self.children: dict[int, socket.socket] = {}
        # A child's end wakes the selector up.
        self.woken, self.waker = socket.socketpair()
        # What AutoGraph converted in a child.
        self.learned, self.teacher = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for each in (self.woken, self.waker, self.learned, self.teacher):
            each.setblocking(False)
        self.teacher.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_REQUEST)
        self.cache = AutographCache(PACKAGES)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self.waker.fileno())

    def serve(self) -> _Job | None:
        """Returns None when the client has gone and, in each child, the job to run."""
        with selectors.DefaultSelector() as selector:
            for each in (self.woken, self.learned, self.connection):
                selector.register(each, selectors.EVENT_READ)
            self.connection.send(b"1")
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if self.woken in ready:
                    self.woken.recv(4096)
                    self._report_ended()
                if self.learned in ready:
                    self.cache.convert(self.learned.recv(MAX_REQUEST))
                if self.connection in ready:
                    job = self._receive()
                    if job is None:
                        self._kill_all()
                        return None
                    if self._fork(job):
                        return job

    def teach(self) -> None:
        """In a child: tells the server what AutoGraph has converted."""
        with contextlib.suppress(OSError):
            self.teacher.send(self.cache.converted())

    def _receive(self) -> _Job | None:
        data, descriptors, _, _ = socket.recv_fds(self.connection, MAX_REQUEST, 8)
        if not data:
            return None
        return _Job(**json.loads(data), descriptors=descriptors)

    def _fork(self, job: _Job) -> bool:
        """Whether this is the child."""
        status = socket.socket(fileno=job.descriptors.pop(0))
        pid = os.fork()
        if pid == 0:
            self._forget()
            status.close()
            return True
        for descriptor in job.descriptors:
            os.close(descriptor)
        status.send(str(pid).encode())
        self.children[pid] = status
        return False

    def _forget(self) -> None:
        """Leaves everything of the server behind in a child."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for each in (self.connection, self.woken, self.waker, self.learned):
            each.close()
        for each in self.children.values():
            each.close()

    def _report_ended(self) -> None:
        while self.children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            connection = self.children.pop(pid)
            with contextlib.suppress(OSError):  # Nobody waits for it any more.
                connection.send(str(os.waitstatus_to_exitcode(status)).encode())
            connection.close()

    def _kill_all(self) -> None:
        for pid in self.children:
            os.kill(pid, signal.SIGKILL)


def main() -> None:
    connection = socket.socket(fileno=int(sys.argv[1]))
    import_tensorflow()
    for name in sys.argv[2:]:
        importlib.import_module(name)
    from tensorflow.python.eager import context

    if context.context()._context_handle is not None:
        raise RuntimeError("TensorFlow has already begun: a module runs an operation at import")
    server = _Server(connection)
    gc.collect()
    gc.freeze()  # So that a child's garbage collector does not copy the server's pages.
    job = server.serve()
    if job is not None:
        try:
            sys.exit(job.run())
        finally:
            server.teach()


if __name__ == "__main__":
    main()

"""A process that has imported TensorFlow and the applications, and forks to run them.

    python -m shared.testing.fork_server DESCRIPTOR cli apps.vision.classification.app ...

Importing takes a process several seconds, a fork some hundredths of one. The server itself never
runs an operation: TensorFlow's threads, logical devices and deterministic kernels are set in the
child, as in a process of its own. `forked_process.py` is the other side.

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
import sys
from dataclasses import dataclass
from typing import Any

from shared.common.quiet import import_tensorflow

MAX_REQUEST = 2**20  # Bytes: arguments and environment.


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
        self.connection = connection
        self.children: dict[int, socket.socket] = {}
        # A child's end wakes the selector up.
        self.woken, self.waker = socket.socketpair()
        for each in (self.woken, self.waker):
            each.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self.waker.fileno())

    def serve(self) -> _Job | None:
        """Returns None when the client has gone and, in each child, the job to run."""
        with selectors.DefaultSelector() as selector:
            for each in (self.woken, self.connection):
                selector.register(each, selectors.EVENT_READ)
            self.connection.send(b"1")
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if self.woken in ready:
                    self.woken.recv(4096)
                    self._report_ended()
                if self.connection in ready:
                    job = self._receive()
                    if job is None:
                        self._kill_all()
                        return None
                    if self._fork(job):
                        return job

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
        for each in (self.connection, self.woken, self.waker):
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
        sys.exit(job.run())


if __name__ == "__main__":
    main()

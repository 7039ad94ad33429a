"""The command line in processes that can be killed, waited for and read.

    done = kerasuite("classify", "train", data, "--output", run)
    expect_success(done)

They are forks of one server, which has imported everything that they need, unless `FRESH` says
that each shall be a new Python process.
"""

import atexit
import functools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from shared.engine.distribution.cluster import Cluster
from shared.engine.distribution.launch import free_ports
from shared.testing.forked_process import ForkedProcess, ForkServer, OutputFiles

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 300  # Until a training has written its first checkpoint.
# What applications import when they use it.
LIBRARIES = ("tensorflow_text", "matplotlib.pyplot", "sklearn.metrics", "gensim.models")

# Whether processes are new Python processes: set for tests of GPUs and of real data.
FRESH = False


class FreshProcess(subprocess.Popen):
    """A new Python process that runs a module, its output kept in files."""

    def __init__(self, module: str, arguments: list[str], environment: Mapping[str, str], stdin):
        self._output = OutputFiles()
        super().__init__(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=environment,
            stdin=stdin or subprocess.DEVNULL,
            stdout=self._output.stdout,
            stderr=self._output.stderr,
        )

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Waits for the end and returns what was written to standard output and errors."""
        self.wait(timeout)
        return self._output.read()


def start(
    *arguments: Any,
    module: str = "cli",
    environment: Mapping[str, str] | None = None,
    stdin: IO | None = None,
    fresh: bool = False,
) -> ForkedProcess | FreshProcess:
    """Starts the command line and returns at once.

    Args:
        *arguments: the command line after `kerasuite`.
        module: name of the module that runs; its `main()` is called.
        environment: all environment variables; by default those of this process.
        stdin: file that it reads; by default an empty one.
        fresh: whether it must be a new Python process.
    """
    words = [str(argument) for argument in arguments]
    environment = os.environ if environment is None else environment
    if fresh or FRESH:
        return FreshProcess(module, words, environment, stdin)
    return _server().start(module, words, ROOT, environment, stdin)


def kerasuite(*arguments: Any, timeout: float = 600, **options: Any) -> subprocess.CompletedProcess:
    """Runs the command line to its end, see `start` for the options."""
    process = start(*arguments, **options)
    try:
        out, errors = process.communicate(timeout)
    finally:
        process.kill()
    return subprocess.CompletedProcess(arguments, process.returncode, out, errors)


def expect_success(done: subprocess.CompletedProcess, code: int = 0) -> None:
    """Asserts the exit code of a process and shows its output otherwise."""
    assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"


def start_workers(count: int, *arguments: Any, **options: Any) -> list:
    """Starts the same command as every worker of a cluster; see `start` for the options."""
    addresses = tuple(f"localhost:{port}" for port in free_ports(count))
    clusters = (Cluster(addresses, index).to_tf_config() for index in range(count))
    return [
        start(*arguments, environment=os.environ | {"TF_CONFIG": cluster}, **options)
        for cluster in clusters
    ]


def expect_workers(workers: list, code: int = 0) -> None:
    """Waits for the workers and asserts their exit code."""
    for process in workers:
        out, errors = process.communicate(timeout=600)
        assert process.returncode == code, f"exit code {process.returncode}\n{out}\n{errors}"


def wait_until(process: ForkedProcess | FreshProcess, ready: Callable[[], bool]) -> None:
    """Waits until `ready()` holds; the process must still be running then."""
    begin = time.monotonic()
    while not ready():
        assert process.poll() is None, f"ended with {process.returncode} before it was ready"
        assert time.monotonic() - begin < READY_SECONDS, "did not get ready in time"
        time.sleep(0.002)


def kill_when(
    process: ForkedProcess | FreshProcess,
    ready: Callable[[], bool],
    number: int,
    delay: float = 0.0,
) -> None:
    """Sends a signal to a process `delay` seconds after `ready()` holds, and waits for its end.

    Args:
        process: the process; it must be running when `ready()` holds.
        ready: asked again and again until it is true.
        number: the signal.
        delay: seconds.
    """
    wait_until(process, ready)
    time.sleep(delay)
    process.send_signal(number)
    process.wait(timeout=120)


@functools.cache
def _server() -> ForkServer:
    """The fork server of this process, started when the first process is."""
    server = ForkServer([*LIBRARIES, *_modules()])
    atexit.register(server.close)
    return server


def _modules() -> list[str]:
    """Names of all modules of the project but the tests."""
    paths = [ROOT / "cli.py", *ROOT.glob("apps/**/*.py"), *ROOT.glob("shared/**/*.py")]
    names = (".".join(path.relative_to(ROOT).with_suffix("").parts) for path in sorted(paths))
    return [name.removesuffix(".__init__") for name in names]

"""`kerasuite launch`: starts the workers of a job and ends them together.

    kerasuite launch --workers 2 -- classify train DATA          two processes on this machine
    kerasuite launch --hosts a:2222,b:2222 --index 1 -- ...      worker 1 of two machines

Each worker is the same command line with TF_CONFIG set. No TensorFlow here.
"""

import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from shared.common.errors import DONE, SOME_REJECTED, Interrupted, KerasuiteError
from shared.common.signals import CaughtSignal, catch_signals
from shared.engine.distribution.cluster import Cluster

# How long the others may take to end after one has failed; well below a minute in all.
GRACE = 20.0
ROOT = Path(__file__).resolve().parents[3]  # The folder that cli.py is in.
WATCHED = "KERASUITE_LAUNCHER"  # Descriptor that closes when the launcher ends.


def launch(command: list[str], workers: int, hosts: str = "", index: int | None = None) -> int:
    """Runs a kerasuite command on several workers, their output prefixed by `[index]`.

    Args:
        command: the words after `kerasuite`.
        workers: number of workers to start on this machine, on free ports.
        hosts: "host:port,host:port": the addresses of all workers instead.
        index: start only this one of `hosts`.

    Returns:
        The exit code: 0, or 3 if a worker rejected some inputs.

    Raises:
        KerasuiteError: if a worker fails; the others have then ended too.
        Interrupted: after SIGINT or SIGTERM, when all workers have saved and ended.
    """
    if not command:
        raise KerasuiteError("launch: name the command after --, such as -- classify train DATA")
    addresses = _addresses(workers, hosts)
    if index is not None and not 0 <= index < len(addresses):
        raise KerasuiteError(
            f"--index {index}: --hosts lists workers 0 to {len(addresses) - 1}; choose one of them"
        )
    own = range(len(addresses)) if index is None else [index]
    clusters = [Cluster(addresses, number) for number in own]
    environments = _environments(clusters, sharing=len(clusters))
    with catch_signals() as caught:
        group = [
            _Worker(cluster.index, command, environment)
            for cluster, environment in zip(clusters, environments, strict=True)
        ]
        try:
            return _watch(group, caught)
        finally:
            for worker in group:
                worker.end()


def _addresses(workers: int, hosts: str) -> tuple[str, ...]:
    if not hosts:
        return tuple(f"localhost:{port}" for port in free_ports(workers))
    addresses = tuple(text.strip() for text in hosts.split(","))
    if workers and workers != len(addresses):
        raise KerasuiteError(
            f"--workers {workers}: --hosts names {len(addresses)}; leave --workers out"
        )
    return addresses


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nothing listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("localhost", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _environments(clusters: list[Cluster], sharing: int) -> list[dict[str, str]]:
    """The variables of each worker; the GPUs and cores of this machine are dealt out."""
    gpus = visible_gpus() if sharing > 1 else []
    if gpus and len(gpus) < sharing:
        raise KerasuiteError(
            f"--workers {sharing}: this machine has {len(gpus)} GPU(s); start as many workers at "
            f"most, or hide the GPUs with CUDA_VISIBLE_DEVICES=-1"
        )
    threads = str(max(1, (os.cpu_count() or 1) // sharing))
    result = []
    for index, cluster in enumerate(clusters):
        environment = os.environ | {"TF_CONFIG": cluster.to_tf_config()}
        if gpus:
            part = gpus[index * len(gpus) // sharing : (index + 1) * len(gpus) // sharing]
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(part)
        elif sharing > 1:
            environment.setdefault("TF_NUM_INTRAOP_THREADS", threads)
        result.append(environment)
    return result


def visible_gpus() -> list[str]:
    """The CUDA devices that a process started here would see."""
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        named = os.environ["CUDA_VISIBLE_DEVICES"].split(",")
        return [name for name in named if name.strip() not in ("", "-1")]
    if shutil.which("nvidia-smi") is None:
        return []
    done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("GPU ")]
    return [str(number) for number in range(len(lines))]


def _command_line(words: list[str]) -> list[str]:
    """`kerasuite WORDS...` as a process that imports nothing from the current folder (`-P`)."""
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); import cli; cli.main()"
    return [sys.executable, "-P", "-c", code, str(ROOT), *words]


class _Worker:
    """One process and the thread that passes its output on."""

    def __init__(self, index: int, command: list[str], environment: dict[str, str]):
        self.index = index
        # The worker reads from this pipe and ends at its end, which comes with our own end,
        # however that happens.
        read_end, self._lifeline = os.pipe()
        self.process = subprocess.Popen(
            _command_line(command),
            env=environment | {WATCHED: str(read_end), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[read_end],
            start_new_session=True,  # A Ctrl-C reaches it through us, once.
        )
        os.close(read_end)
        self._reader = threading.Thread(target=self._pass_on, daemon=True)
        self._reader.start()

    def _pass_on(self) -> None:
        for line in self.process.stdout:
            sys.stdout.buffer.write(f"[{self.index}] ".encode() + line)
            sys.stdout.buffer.flush()

    @property
    def has_failed(self) -> bool:
        return self.process.poll() not in (None, DONE, SOME_REJECTED)

    def end(self) -> None:
        """Ends it at once, if it is still there, and waits for the rest of its output."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(timeout=5.0)
        os.close(self._lifeline)


def _watch(group: list[_Worker], caught: CaughtSignal) -> int:
    """Waits for all workers; see `launch`."""
    failed: _Worker | None = None
    told: int | None = None
    deadline = math.inf
    while running := [worker for worker in group if worker.process.poll() is None]:
        failed = failed or next((worker for worker in group if worker.has_failed), None)
        if told is None and (caught.raised or failed):
            told = caught.raised or signal.SIGTERM
            for worker in running:
                worker.process.send_signal(told)
        if failed and deadline == math.inf:
            deadline = time.monotonic() + GRACE
        if time.monotonic() > deadline:
            for worker in running:
                worker.process.kill()
        time.sleep(0.1)
    codes = {worker.process.returncode for worker in group}
    if caught.raised and codes <= {0, 128 + caught.raised}:
        raise Interrupted(caught.raised, "interrupted; all workers have ended")
    failed = failed or next((worker for worker in group if worker.has_failed), None)
    if failed:
        raise WorkerFailed(failed.index, failed.process.returncode)
    return max(codes)


class WorkerFailed(KerasuiteError):
    """A worker ended with an error; its exit code becomes the launcher's."""

    def __init__(self, index: int, code: int):
        how = f"was ended by signal {-code}" if code < 0 else f"failed with exit code {code}"
        super().__init__(
            f"worker {index} {how}; the others were ended. Its message is above; after a training "
            f"step, continue with the same command and --resume"
        )
        self.exit_code = code if code > 0 else 1


def end_with_launcher() -> None:
    """Ends this process as soon as the launcher that started it is gone."""
    if WATCHED not in os.environ:
        return
    descriptor = int(os.environ.pop(WATCHED))

    def watch():
        os.read(descriptor, 1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()

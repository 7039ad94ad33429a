"""The workers of a job meet before TensorFlow starts, and find out what does not fit.

TensorFlow itself waits for ever for a worker that was never started, and hangs when two of
them disagree about their number. So every worker first tells the chief who it is and what it
is going to do, over one connection to the chief's own port, and goes on only when all agree:

    worker -> chief   {"index": 1, "addresses": [...], "plan": {...}}
    chief -> worker   {"problem": ""}
"""

import json
import os
import socket
import time
from typing import Any

from shared.common.errors import KerasuiteError
from shared.common.messages import warn
from shared.engine.distribution.cluster import Cluster

MAX_LINE = 2**20
REMIND_AFTER = 15.0  # Seconds until the chief says whom it is waiting for.


def wait_limit() -> float:
    """Seconds that workers wait for each other: KERASUITE_WORKER_WAIT, by default 300."""
    return float(os.environ.get("KERASUITE_WORKER_WAIT", 300))


def meet(cluster: Cluster, plan: dict[str, Any]) -> None:
    """Returns when all workers are there and agree.

    Args:
        cluster: the workers as this one sees them.
        plan: plain values that must be equal on all: versions, configuration.

    Raises:
        KerasuiteError: on every worker, if a port is taken, a worker does not come in time,
            or two disagree.
    """
    host, _, port = cluster.addresses[cluster.index].rpartition(":")
    hello = {
        "index": cluster.index,
        "addresses": list(cluster.addresses),
        "plan": json.loads(json.dumps(plan)),
    }
    with _listen(cluster, int(port)) as server:
        if cluster.is_chief:
            _welcome(server, cluster, hello)
            return
    _report(cluster, hello)


def _listen(cluster: Cluster, port: int) -> socket.socket:
    """Takes the worker's own port, which shows that TensorFlow will get it."""
    hosts = {address.rpartition(":")[0] for address in cluster.addresses}
    only_here = hosts <= {"localhost", "127.0.0.1"}
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind(("127.0.0.1" if only_here else "", port))
        server.listen(64)
    except OSError as error:
        server.close()
        raise KerasuiteError(
            f"{cluster.addresses[cluster.index]}: this worker's port cannot be used "
            f"({error.strerror}); "
            f"choose another in TF_CONFIG or --hosts"
        ) from error
    return server


def _welcome(server: socket.socket, cluster: Cluster, own: dict[str, Any]) -> None:
    """The chief's side: collects all workers, then answers all of them alike."""
    guests: dict[int, socket.socket] = {}
    problem = ""
    deadline = time.monotonic() + wait_limit()
    remind_at = time.monotonic() + REMIND_AFTER
    server.settimeout(1.0)
    try:
        while len(guests) < cluster.count - 1 and not problem:
            missing = [i for i in range(1, cluster.count) if i not in guests]
            names = ", ".join(f"{index} ({cluster.addresses[index]})" for index in missing)
            if time.monotonic() > deadline:
                problem = f"worker {names} did not come within {wait_limit():.0f} s; start it too"
            elif time.monotonic() > remind_at:
                warn(f"waiting for worker {names}")
                remind_at = time.monotonic() + REMIND_AFTER
            problem = problem or _accept(server, guests, own)
    finally:
        for guest in guests.values():
            _send(guest, {"problem": problem})
            guest.close()
    if problem:
        raise KerasuiteError(problem)


def _accept(server: socket.socket, guests: dict[int, socket.socket], own: dict) -> str:
    """Takes one worker in, if one is at the door; returns what is wrong with it."""
    try:
        guest, _ = server.accept()
    except TimeoutError:
        return ""
    guest.settimeout(10.0)
    hello = _receive(guest)
    if hello is None or not _is_hello(hello):
        guest.close()  # A port scanner or a health check, none of ours.
        return ""
    problem = _disagreement(own, hello)
    if not problem and hello["index"] in guests:
        problem = f"two workers say that they are worker {hello['index']}; give each its own index"
    if problem:
        _send(guest, {"problem": problem})
        guest.close()
    else:
        guests[hello["index"]] = guest
    return problem


def _is_hello(hello: dict[str, Any]) -> bool:
    """Whether a message is one of a worker: its number, the addresses that it knows, its plan."""
    index, addresses, plan = (hello.get(name) for name in ("index", "addresses", "plan"))
    is_index = isinstance(index, int) and not isinstance(index, bool) and index > 0
    return is_index and isinstance(addresses, list) and isinstance(plan, dict)


def _disagreement(chief: dict[str, Any], worker: dict[str, Any]) -> str:
    index = worker["index"]
    here, there = len(chief["addresses"]), len(worker["addresses"])
    if here != there:
        return (
            f"worker 0 counts {here} workers and worker {index} counts {there}; "
            f"give all the same cluster"
        )
    if chief["addresses"] != worker["addresses"]:
        return f"worker {index} has other addresses than worker 0; give all the same cluster"
    for name, value in chief["plan"].items():
        if worker["plan"].get(name) != value:
            return (
                f"{name} is {value!r} on worker 0 and {worker['plan'].get(name)!r} on worker "
                f"{index}; start all workers with the same command and version"
            )
    return ""


def _report(cluster: Cluster, hello: dict[str, Any]) -> None:
    """The side of the others: tells the chief, and waits for its answer."""
    host, _, port = cluster.addresses[0].rpartition(":")
    with _connect(host, int(port)) as chief:
        _send(chief, hello)
        chief.settimeout(wait_limit() + 30)
        answer = _receive(chief)
    if answer is None or "problem" not in answer:
        raise KerasuiteError(
            f"{host}:{port}: the chief ended or is no kerasuite worker; see its own message"
        )
    if answer["problem"]:
        raise KerasuiteError(answer["problem"])


def _connect(host: str, port: int) -> socket.socket:
    deadline = time.monotonic() + wait_limit()
    while True:
        try:
            return socket.create_connection((host, port), timeout=5.0)
        except OSError as error:
            if time.monotonic() > deadline:
                raise KerasuiteError(
                    f"{host}:{port}: the chief (worker 0) cannot be reached within "
                    f"{wait_limit():.0f} s ({error}); start it, or mend its address"
                ) from error
            time.sleep(0.2)


def _send(connection: socket.socket, value: dict[str, Any]) -> None:
    try:
        connection.sendall(json.dumps(value).encode() + b"\n")
    except OSError:
        return  # It has ended, and says itself why.


def _receive(connection: socket.socket) -> dict[str, Any] | None:
    """One line of JSON, or None for anything else."""
    try:
        with connection.makefile("rb") as file:
            value = json.loads(file.readline(MAX_LINE))
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None

"""Strangers at the chief's door."""

import json
import socket

import pytest

from shared.engine.distribution import rendezvous


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def door():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(5)
        yield server


OWN = {"index": 0, "addresses": ["localhost:1", "localhost:2"], "plan": {"seed": 1}}
STRANGERS = [
    b"GET / HTTP/1.1\r\n\r\n", b"\xff\xfe\n", b"[" * 100_000 + b"\n", b"{}\n", b'{"index": 1}\n',
    b'{"index": "1", "addresses": [], "plan": {}}\n', b'{"index": 1, "addresses": 2, "plan": {}}\n',
    b'{"index": 1, "addresses": [], "plan": []}\n', b'{"index": -1, "addresses": [], "plan": {}}\n',
]  # fmt: skip


@pytest.mark.parametrize("message", STRANGERS, ids=range(len(STRANGERS)))
def test_strangers_are_sent_away_and_workers_still_welcome(door, message):
    guests = {}
    for content, expected in ((message, {}), (json.dumps(OWN | {"index": 1}).encode(), {1})):
        with socket.create_connection(door.getsockname()) as guest:
            guest.sendall(content + b"\n")
            guest.shutdown(socket.SHUT_WR)
            assert rendezvous._accept(door, guests, OWN) == ""
        assert set(guests) == set(expected)
    guests[1].close()


def test_workers_of_this_machine_are_not_heard_from_others(monkeypatch):
    bound = []
    bind = socket.socket.bind
    monkeypatch.setattr(
        socket.socket, "bind", lambda self, at: (bound.append(at[0]), bind(self, at))[1]
    )
    for hosts, address in ((("localhost", "127.0.0.1"), "127.0.0.1"), (("localhost", "far"), "")):
        addresses = [f"{host}:{free_port()}" for host in hosts]
        bound.clear()
        cluster = type("Cluster", (), {"addresses": addresses, "index": 0})
        rendezvous._listen(cluster, int(addresses[0].rpartition(":")[2])).close()
        assert bound == [address]

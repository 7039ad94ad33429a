"""Clusters from TF_CONFIG and SLURM, and the meeting of their workers."""

import json
import socket
import subprocess
import sys
import threading

import pytest

from shared.common.errors import KerasuiteError
from shared.engine.distribution import rendezvous
from shared.engine.distribution.cluster import Cluster, find_cluster, parse_tf_config
from shared.engine.distribution.launch import free_ports


def tf_config(index=0, kind="worker", **jobs) -> str:
    jobs = jobs or {"worker": ["a:1", "b:2"]}
    return json.dumps({"cluster": jobs, "task": {"type": kind, "index": index}})


def test_worker_of_two():
    cluster = parse_tf_config(tf_config(1))
    assert cluster == Cluster(("a:1", "b:2"), 1)
    assert not cluster.is_chief


def test_chief_job_comes_first():
    jobs = {"worker": ["a:1", "b:2"], "chief": ["c:3"]}
    assert parse_tf_config(tf_config(0, "chief", **jobs)) == Cluster(("c:3", "a:1", "b:2"), 0)
    assert parse_tf_config(tf_config(1, "worker", **jobs)) == Cluster(("c:3", "a:1", "b:2"), 2)


def test_one_worker_is_no_cluster():
    assert parse_tf_config(tf_config(worker=["a:1"])) is None
    assert find_cluster({}) is None


def test_tf_config_round_trip():
    cluster = Cluster(("a:1", "b:2"), 1)
    assert find_cluster({"TF_CONFIG": cluster.to_tf_config()}) == cluster


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{worker", "is not JSON"),
        ("[1]", "has no 'cluster'"),
        ('{"cluster": {"worker": ["a:1", "b:2"]}}', "has no 'task'"),
        (tf_config(2), "is not one of the cluster's"),
        (tf_config(0, "chief"), "is not one of the cluster's"),
        (tf_config(worker=["a:1", "b"]), "write it as host:port"),
        (tf_config(worker=["a:1", "a:1"]), "two workers have one address"),
        (tf_config(worker=["a:1", "b:2"], ps=["c:3"]), "'ps'"),
        (tf_config(worker=[]), "is not one of|names no worker"),
        (tf_config(worker=5), "'worker' is no list"),
        (tf_config(worker={"0": "a:1"}), "'worker' is no list"),
        (tf_config(worker=[["a:1"], None]), "write it as host:port"),
        (tf_config(worker=["a:²", "b:2"]), "write it as host:port"),
        (tf_config(True), "is not one of the cluster's"),
        (tf_config(0, ["worker"]), "is not one of the cluster's"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_malformed_tf_config(text, message):
    with pytest.raises(KerasuiteError, match=message):
        parse_tf_config(text)


def test_malformed_slurm_variables():
    with pytest.raises(KerasuiteError, match="SLURM.*=many: is no number"):
        find_cluster({"SLURM_STEP_NUM_TASKS": "many"})


def test_slurm_variables(monkeypatch):
    variables = {
        "SLURM_STEP_NODELIST": "node[1-2]",
        "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
        "SLURM_STEP_NUM_TASKS": "4",
        "SLURM_PROCID": "3",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TF_CONFIG", raising=False)
    cluster = find_cluster()
    assert [address.partition(":")[0] for address in cluster.addresses] == [
        "node1", "node1", "node2", "node2",
    ]  # fmt: skip
    assert len(set(cluster.addresses)) == 4
    assert cluster.index == 3


def meet_all(clusters, plans) -> list[str]:
    """The answer of `meet` to each worker: a problem or ""."""
    results = [None] * len(clusters)

    def run(place):
        try:
            rendezvous.meet(clusters[place], plans[place])
            results[place] = ""
        except KerasuiteError as error:
            results[place] = str(error)

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(clusters))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results


@pytest.fixture
def addresses():
    return tuple(f"localhost:{port}" for port in free_ports(3))


@pytest.fixture(autouse=True)
def short_wait(monkeypatch):
    monkeypatch.setenv("KERASUITE_WORKER_WAIT", "5")


def test_workers_meet(addresses):
    clusters = [Cluster(addresses, index) for index in range(3)]
    assert meet_all(clusters, [{"--seed": 1}] * 3) == ["", "", ""]


def test_another_number_of_workers(addresses):
    results = meet_all([Cluster(addresses[:2], 0), Cluster(addresses, 1)], [{}, {}])
    assert all("worker 0 counts 2 workers and worker 1 counts 3" in text for text in results)


def test_another_option(addresses):
    clusters = [Cluster(addresses[:2], index) for index in range(2)]
    results = meet_all(clusters, [{"--seed": 1}, {"--seed": 2}])
    assert all("--seed is 1 on worker 0 and 2 on worker 1" in text for text in results)


def test_two_with_one_index(addresses):
    clusters = [Cluster(addresses, 0), Cluster(addresses, 1)]
    twin = Cluster((addresses[0], "localhost:1", addresses[2]), 1)
    results = meet_all([*clusters, twin], [{}] * 3)
    assert any("other addresses" in text or "two workers" in text for text in results)


def test_a_worker_that_never_comes(addresses, monkeypatch):
    monkeypatch.setenv("KERASUITE_WORKER_WAIT", "0.5")
    with pytest.raises(KerasuiteError, match=r"worker 1 .* did not come within"):
        rendezvous.meet(Cluster(addresses[:2], 0), {})
    with pytest.raises(KerasuiteError, match="cannot be reached"):
        rendezvous.meet(Cluster(addresses[:2], 1), {})


def test_an_occupied_port(addresses):
    with socket.socket() as other:
        other.bind(("", int(addresses[0].rpartition(":")[2])))
        other.listen()
        with pytest.raises(KerasuiteError, match="port cannot be used"):
            rendezvous.meet(Cluster(addresses[:2], 0), {})


def test_a_stranger_at_the_door_is_ignored(addresses):
    def knock():
        port = int(addresses[0].rpartition(":")[2])
        for _ in range(50):
            try:
                with socket.create_connection(("localhost", port), timeout=1) as stranger:
                    stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
                    return
            except OSError:
                threading.Event().wait(0.05)

    stranger = threading.Thread(target=knock)
    stranger.start()
    clusters = [Cluster(addresses[:2], index) for index in range(2)]
    assert meet_all(clusters, [{}, {}]) == ["", ""]
    stranger.join()


def test_no_tensorflow_is_imported():
    code = (
        "import sys, shared.engine.distribution.launch, shared.engine.distribution.rendezvous;"
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

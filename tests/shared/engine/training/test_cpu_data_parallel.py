"""When two micro-batches of a step share the cores, and what that does to TensorFlow's threads."""

import pytest
import tensorflow as tf

from shared.common import config as configs
from shared.engine.training import cpu_data_parallel
from tests.shared.engine.training.toy_app import ToyConfig


@pytest.fixture
def threads(monkeypatch):
    """The numbers of threads that were set, on a machine of five cores without GPUs."""
    found = []
    monkeypatch.delenv(cpu_data_parallel.THREADS, raising=False)
    monkeypatch.setattr(cpu_data_parallel, "available_cores", lambda: 5)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    monkeypatch.setattr(tf.config.threading, "set_intra_op_parallelism_threads", found.append)
    return found


def share(independent_rows=True, **options):
    config = configs.resolve(ToyConfig, {"preset": "test", **options})
    return cpu_data_parallel.enable_cpu_data_parallel(config, independent_rows)


@pytest.mark.parametrize("options", [{}, {"devices": "cpu"}, {"strategy": "single"}])
def test_each_half_has_its_cores(threads, options):
    assert share(**options)
    assert threads == [3]


@pytest.mark.parametrize(
    "options",
    [
        {"independent_rows": False},
        {"optimization.micro_batches": 2},
        {"strategy": "mirrored"},
        {"devices": "cpu:2"},
        {"devices": "gpu:0"},
    ],
)
def test_whole_batches(threads, options):
    assert not share(**options)
    assert not threads


def test_a_gpu_gets_whole_batches_unless_it_is_not_used(threads, monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
    assert not share()
    assert share(devices="cpu")


def test_one_core_and_named_threads_stay_as_they_are(threads, monkeypatch):
    monkeypatch.setenv(cpu_data_parallel.THREADS, "2")
    assert not share()
    monkeypatch.delenv(cpu_data_parallel.THREADS)
    monkeypatch.setattr(cpu_data_parallel, "available_cores", lambda: 1)
    assert not share()
    assert not threads


def test_a_process_that_has_computed_keeps_its_threads(threads, monkeypatch):
    def refuse(count):
        raise RuntimeError("Intra op parallelism cannot be modified after initialization.")

    monkeypatch.setattr(tf.config.threading, "set_intra_op_parallelism_threads", refuse)
    assert not share()

"""When a batch is trained in halves, and what that does to TensorFlow's threads."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from toy_app import ToyApp, ToyConfig

from shared.engine import config as configs
from shared.engine import cpu_halves
from shared.engine.run import Run
from shared.engine.train_step import build_train_step, prepare_optimizer


@pytest.fixture
def threads(monkeypatch):
    """The numbers of threads that were set, on a machine of five cores without GPUs."""
    found = []
    monkeypatch.delenv(cpu_halves.THREADS, raising=False)
    monkeypatch.setattr(cpu_halves, "available_cores", lambda: 5)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    monkeypatch.setattr(tf.config.threading, "set_intra_op_parallelism_threads", found.append)
    return found


def share(independent_rows=True, **options):
    config = configs.resolve(ToyConfig, {"preset": "test", **options})
    return cpu_halves.share_cores(config, independent_rows)


@pytest.mark.parametrize("options", [{}, {"devices": "cpu"}, {"strategy": "single"}])
def test_each_half_has_its_cores(threads, options):
    assert share(**options)
    assert threads == [3]


@pytest.mark.parametrize(
    "options",
    [
        {"independent_rows": False},
        {"optimization.accumulate": 2},
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
    monkeypatch.setenv(cpu_halves.THREADS, "2")
    assert not share()
    monkeypatch.delenv(cpu_halves.THREADS)
    monkeypatch.setattr(cpu_halves, "available_cores", lambda: 1)
    assert not share()
    assert not threads


def test_a_process_that_has_computed_keeps_its_threads(threads, monkeypatch):
    def refuse(count):
        raise RuntimeError("Intra op parallelism cannot be modified after initialization.")

    monkeypatch.setattr(tf.config.threading, "set_intra_op_parallelism_threads", refuse)
    assert not share()


def trained(folder, dropout=0.5, **options):
    """The weights of the toy after three steps."""
    in_halves = options.pop("in_halves", False)
    config = configs.resolve(ToyConfig, {"preset": "test", "dropout": dropout, **options})
    app, run = ToyApp(), Run(config, folder, in_halves=in_halves)
    app.prepare(run)
    run.steps_per_epoch = app.steps_per_epoch(run)
    keras.utils.set_random_seed(3)
    model = app.build(run)
    prepare_optimizer(model)
    step = build_train_step(model, run.strategy, config.optimization, in_halves=run.in_halves)
    for batch in app.dataset(run, "train").take(3):
        step(batch)
    return [np.asarray(weight) for weight in model.weights]


def test_halves_draw_what_pieces_in_turn_draw(tmp_path):
    """That they are computed at once changes no mask: each half has its own, in every step."""
    halves = trained(tmp_path, in_halves=True)
    pieces = trained(tmp_path, **{"optimization.accumulate": 2})
    for weight, other in zip(halves, pieces, strict=True):
        np.testing.assert_allclose(weight, other, rtol=1e-6)
    whole = trained(tmp_path)
    assert any(not np.allclose(*pair, rtol=1e-3) for pair in zip(halves, whole, strict=True))


def test_halves_are_the_whole_batch_without_dropout(tmp_path):
    halves, whole = (trained(tmp_path, dropout=0.0, in_halves=value) for value in (True, False))
    for weight, other in zip(halves, whole, strict=True):
        np.testing.assert_allclose(weight, other, rtol=1e-5, atol=1e-7)

"""GloVe against its definition."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.embeddings import cell_stream as streams
from apps.embeddings.cell_file import CELL, CellFile
from apps.embeddings.glove import GloVe
from shared.engine import replicas
from shared.engine.config import OptimizationConfig
from shared.engine.strategy import create_strategy
from shared.engine.train_step import build_train_step, prepare_optimizer

WORDS, DIM = 40, 6
SHAPE = streams.StreamShape(4, 2)


def factorisable() -> CellFile:
    """Counts whose logarithms are inner products of small vectors plus biases, in 5 blocks."""
    generator = np.random.default_rng(0)
    w, u = generator.normal(0, 0.6, (2, WORDS, 3))
    b, c = generator.normal(0, 0.5, (2, WORDS))
    counts = np.exp(w @ u.T + b[:, None] + c)
    bounds = np.arange(0, WORDS + 1, 8)
    cells, offsets = [], np.zeros((5, 5, 2), np.int64)
    for i, j in np.ndindex(5, 5):
        rows, columns = (a.ravel() for a in np.mgrid[8 * i : 8 * i + 8, 8 * j : 8 * j + 8])
        kept = generator.random(64) < 0.7
        tile = np.empty(kept.sum(), CELL)
        tile["row"], tile["column"] = rows[kept], columns[kept]
        tile["value"] = counts[rows[kept], columns[kept]]
        offsets[i, j] = (begin := sum(map(len, cells))), begin + len(tile)
        cells.append(tile)
    return CellFile(bounds, offsets, np.concatenate(cells))


def new_model(strategy=None, rate=0.3):
    keras.utils.clear_session()
    keras.utils.set_random_seed(3)
    strategy = strategy or tf.distribute.get_strategy()
    with strategy.scope():
        model = GloVe(WORDS, DIM, x_max=2.0, alpha=0.75)
        model.compile(optimizer=keras.optimizers.SGD(rate))
        prepare_optimizer(model)
    return model, build_train_step(model, strategy, OptimizationConfig())


def train(strategy=None, steps=5):
    """Losses of the first steps and the vectors after them."""
    strategy = strategy or tf.distribute.get_strategy()
    model, step = new_model(strategy)
    losses = []
    for batch in streams.cell_stream(factorisable(), SHAPE, seed=2).take(steps):
        value, count = step(replicas.split(strategy, batch))["loss"]
        losses.append(float(value) / float(count))
    return losses, model.vectors()


def adagrad(state, squares, gradients, rate):
    for name, gradient in gradients.items():
        squares[name] = squares[name] + gradient**2
        state[name] = state[name] - rate * gradient / np.sqrt(squares[name])


def test_a_step_is_adagrad_on_the_cells_of_each_micro_step():
    model, step = new_model()
    names = ("vectors", "biases")
    state = {
        (side, name): np.array(getattr(model, f"{side}_side")[name], np.float64)
        for side in ("word", "context")
        for name in names
    }
    squares = {key: np.ones_like(value) for key, value in state.items()}
    batch = next(iter(streams.cell_stream(factorisable(), SHAPE, seed=2)))
    loss, count = step(batch)["loss"]
    expected_loss = expected_count = 0
    for data in batch["cells"].numpy().T:
        cells = np.frombuffer(b"".join(data), CELL)
        i, j, x = cells["row"], cells["column"], cells["value"].astype(np.float64)
        w, u = state["word", "vectors"][i], state["context", "vectors"][j]
        error = (w * u).sum(1) + state["word", "biases"][i] + state["context", "biases"][j]
        error -= np.log(x)
        slope = np.minimum(1, (x / 2.0) ** 0.75) * error
        gradients = {key: np.zeros_like(value) for key, value in state.items()}
        np.add.at(gradients["word", "vectors"], i, slope[:, None] * u)
        np.add.at(gradients["context", "vectors"], j, slope[:, None] * w)
        np.add.at(gradients["word", "biases"], i, slope)
        np.add.at(gradients["context", "biases"], j, slope)
        adagrad(state, squares, gradients, 0.3)
        expected_loss += (slope * error).sum() / 2
        expected_count += len(cells)
    assert float(count) == expected_count
    np.testing.assert_allclose(float(loss), expected_loss, rtol=1e-5)
    for (side, name), value in state.items():
        found = np.array(getattr(model, f"{side}_side")[name])
        np.testing.assert_allclose(found, value, rtol=1e-4, atol=1e-6)


def test_a_factorisable_matrix_is_factorised():
    losses, _ = train(steps=700)
    assert losses[0] > 0.05
    assert np.mean(losses[-20:]) < 1e-3


def test_repetition_is_bit_identical():
    (losses, vectors), (again, same) = train(), train()
    assert losses == again
    np.testing.assert_array_equal(vectors, same)


def test_vectors_are_the_sum_of_both_sides(tmp_path):
    model, _ = new_model()
    expected = np.array(model.word_side["vectors"]) + np.array(model.context_side["vectors"])
    np.testing.assert_array_equal(model.vectors(), expected)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(loaded.vectors(), expected)
    assert loaded.get_config() == model.get_config()


def print_one_and_two_devices():
    """Run by the next test in a process of its own, which two logical devices need."""
    two = create_strategy("mirrored", "cpu:2")
    runs = train(), train(two)
    print(json.dumps([(losses, vectors.tolist()) for losses, vectors in runs]))


def test_two_devices_equal_one():
    code = "from tests.apps.embeddings import test_glove as t; t.print_one_and_two_devices()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (losses, vectors), (two_losses, two_vectors) = json.loads(done.stdout.splitlines()[-1])
    np.testing.assert_allclose(losses, two_losses, rtol=1e-5)
    np.testing.assert_allclose(vectors, two_vectors, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("words", [1, 2])
def test_tiny_vocabularies_train(words):
    cells = np.zeros(1, CELL)
    cells["value"] = 2.0
    file = CellFile(np.array([0, words]), np.array([[[0, 1]]]), cells)
    keras.utils.clear_session()
    model = GloVe(words, DIM)
    model.compile(optimizer=keras.optimizers.SGD(0.3))
    step = build_train_step(model, tf.distribute.get_strategy(), OptimizationConfig())
    shape = streams.stream_shape(file, 64)
    for batch in streams.cell_stream(file, shape, seed=1).take(3):
        loss, count = step(batch)["loss"]
        assert np.isfinite(float(loss)) and float(count) >= 0

"""GloVe against its definition."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.embeddings.glove import cell_stream as streams
from apps.embeddings.glove.cell_file import CELL, CellFile
from apps.embeddings.glove.glove import GloVe
from shared.common.config import OptimizationConfig
from shared.engine.distribution import replicas
from shared.engine.distribution.strategy import create_strategy
from shared.engine.training.train_step import build_train_step, prepare_optimizer

WORDS, DIM = 40, 6
SHAPE = streams.StreamShape(4, 2)
# A step of this shape visits the only tile of a file once.
ONE_TILE = streams.StreamShape(4, 4)


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


def sides_of(model):
    return {"word": model.word_side, "context": model.context_side}


def spread_out(model):
    """Gives a model vectors far from zero; returns them and the squares, side by side."""
    generator = np.random.default_rng(1)
    for side in sides_of(model).values():
        side["vectors"].assign(generator.normal(0, 0.5, side["vectors"].shape))
        side["squares"].assign(generator.uniform(1, 3, side["squares"].shape))
    return tuple(
        {name: np.array(side[part], np.float64) for name, side in sides_of(model).items()}
        for part in ("vectors", "squares")
    )


def expect_state(model, vectors, squares=None):
    for name, side in sides_of(model).items():
        np.testing.assert_allclose(side["vectors"], vectors[name], rtol=1e-4, atol=1e-5)
        if squares:
            np.testing.assert_allclose(side["squares"], squares[name], rtol=1e-4)


def slope_and_pulls(vectors, cell):
    """Slope of a cell's loss by its error, and [w~, 1] and [w, 1], along which it pulls."""
    w, u = (vectors[side][cell[name]] for side, name in (("word", "row"), ("context", "column")))
    error = w[:-1] @ u[:-1] + w[-1] + u[-1] - np.log(float(cell["value"]))
    weight = min(1, (cell["value"] / 2.0) ** 0.75)
    return weight, weight * error, {"word": np.append(u[:-1], 1), "context": np.append(w[:-1], 1)}


def one_after_the_other(vectors, squares, cells, rate):
    """The C program."""
    for cell in cells:
        _, slope, pulls = slope_and_pulls(vectors, cell)
        for side, name in (("word", "row"), ("context", "column")):
            gradient = rate * slope * pulls[side]
            vectors[side][cell[name]] -= gradient / np.sqrt(squares[side][cell[name]])
            squares[side][cell[name]] += gradient**2


def whole_tile(vectors, squares, cells, rate):
    """The rule of a tile, row by row and step by step; returns the loss."""
    if not len(cells):
        return 0
    known = [slope_and_pulls(vectors, cell) for cell in cells]
    weights, slopes, pulls = zip(*known, strict=True)
    weights, slopes = np.array(weights), np.array(slopes)
    for side, name in (("word", "row"), ("context", "column")):
        pull = np.array([each[side] for each in pulls])
        mean = weights @ pull
        mean_squares = weights @ pull**2 / weights.sum()
        mean /= np.linalg.norm(mean)
        for row in np.unique(cells[name]):
            mine = cells[name] == row
            f, s, p = weights[mine], rate * slopes[mine], pull[mine]
            scale = 1 / np.sqrt(squares[side][row])
            gradient = s @ p
            part = gradient @ mean * mean
            along = rate * scale.mean() * f @ (p @ mean) ** 2
            across = rate * scale.mean() * f @ (p**2).sum(1) - along
            step = sum(
                which * np.mean([(1 - h / len(f)) ** n for n in range(len(f))])
                for which, h in ((part, along), (gradient - part, across / 2))
            )
            vectors[side][row] -= scale * step
            squares[side][row] += (s**2).sum() * mean_squares
    return (slopes**2 / weights).sum() / 2


def one_tile(rows, columns, values) -> CellFile:
    cells = np.empty(len(rows), CELL)
    cells["row"], cells["column"], cells["value"] = rows, columns, values
    return CellFile(np.array([0, WORDS]), np.array([[[0, len(cells)]]]), cells)


def test_cells_that_share_no_word_are_trained_as_in_the_c_program():
    generator = np.random.default_rng(4)
    rows, columns = generator.permutation(WORDS), generator.permutation(WORDS)
    file = one_tile(rows, columns, generator.uniform(0.1, 5, WORDS))
    model, step = new_model(rate=0.05)
    vectors, squares = spread_out(model)
    step(next(iter(streams.cell_stream(file, ONE_TILE, seed=2))))
    one_after_the_other(vectors, squares, file.cells, rate=0.05)
    expect_state(model, vectors)


def test_one_cell_is_trained_as_in_the_c_program_again_and_again():
    file = one_tile([3], [7], [5.0])
    model, step = new_model(rate=0.05)
    vectors, squares = spread_out(model)
    for batch in streams.cell_stream(file, ONE_TILE, seed=2).take(10):
        step(batch)
        one_after_the_other(vectors, squares, file.cells, rate=0.05)
    expect_state(model, vectors, squares)


def test_a_step_equals_its_definition_tile_by_tile():
    model, step = new_model(rate=0.05)
    vectors, squares = spread_out(model)
    batch = next(iter(streams.cell_stream(factorisable(), SHAPE, seed=2)))
    loss, count = step(batch)["loss"]
    tiles = [np.frombuffer(data, CELL) for data in batch["cells"].numpy().T.ravel()]
    expected = sum(whole_tile(vectors, squares, tile, rate=0.05) for tile in tiles)
    assert float(count) == sum(map(len, tiles)) > 0
    np.testing.assert_allclose(float(loss), expected, rtol=1e-5)
    expect_state(model, vectors, squares)


@pytest.mark.parametrize("words", [2, 16, 64, 512])
def test_a_dense_tile_of_frequent_words_does_not_diverge(words):
    keras.utils.clear_session()
    keras.utils.set_random_seed(3)
    generator = np.random.default_rng(5)
    w, u = generator.normal(0, 0.7, (2, words, 3))
    rows, columns = (index.ravel() for index in np.indices((words, words)))
    file = one_tile(rows, columns, np.exp(8 + w @ u.T).ravel())
    file.bounds[-1] = words
    model = GloVe(words, DIM, x_max=10.0)
    model.compile(optimizer=keras.optimizers.SGD(0.05))
    step = build_train_step(model, tf.distribute.get_strategy(), OptimizationConfig())
    losses = []
    for batch in streams.cell_stream(file, ONE_TILE, seed=2).take(200):
        value, count = step(batch)["loss"]
        losses.append(float(value) / float(count))
    assert max(losses) == losses[0]
    assert max(losses[-20:]) < losses[0] / 20


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
    expected = sum(np.array(side["vectors"])[:, :DIM] for side in sides_of(model).values())
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

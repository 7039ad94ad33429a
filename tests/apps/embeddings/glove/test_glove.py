"""GloVe against its definition."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.embeddings.glove import cooccurrence_stream as streams
from apps.embeddings.glove.cooccurrence_file import COOCCURRENCE, CooccurrenceFile
from apps.embeddings.glove.glove import GloVe
from shared.common.config import OptimizationConfig
from shared.engine.distribution import replicas
from shared.engine.training.train_step import build_train_step, prepare_optimizer

WORDS, DIM = 40, 6
SHAPE = streams.StreamShape(4, 2)
# A step of this shape visits the only tile of a file once.
ONE_TILE = streams.StreamShape(1, 1)


def factorisable() -> CooccurrenceFile:
    """Counts whose logarithms are inner products of small vectors plus biases, in 5 blocks."""
    generator = np.random.default_rng(0)
    w, u = generator.normal(0, 0.6, (2, WORDS, 3))
    b, c = generator.normal(0, 0.5, (2, WORDS))
    counts = np.exp(w @ u.T + b[:, None] + c)
    bounds = np.arange(0, WORDS + 1, 8)
    tiles, offsets = [], np.zeros((5, 5, 2), np.int64)
    for i, j in np.ndindex(5, 5):
        rows, columns = (a.ravel() for a in np.mgrid[8 * i : 8 * i + 8, 8 * j : 8 * j + 8])
        kept = generator.random(64) < 0.7
        tile = np.empty(kept.sum(), COOCCURRENCE)
        tile["row"], tile["column"] = rows[kept], columns[kept]
        tile["value"] = counts[rows[kept], columns[kept]]
        offsets[i, j] = (begin := sum(map(len, tiles))), begin + len(tile)
        tiles.append(tile)
    return CooccurrenceFile(bounds, offsets, np.concatenate(tiles))


def new_model(strategy=None, rate=0.3, words=WORDS, x_max=2.0):
    keras.utils.clear_session()
    keras.utils.set_random_seed(3)
    strategy = strategy or tf.distribute.get_strategy()
    with strategy.scope():
        model = GloVe(words, DIM, x_max, alpha=0.75)
        model.compile(optimizer=keras.optimizers.SGD(rate))
        prepare_optimizer(model)
    return model, build_train_step(model, strategy, OptimizationConfig())


def train(strategy=None, steps=5):
    """Losses of the first steps and the vectors after them."""
    strategy = strategy or tf.distribute.get_strategy()
    model, step = new_model(strategy)
    losses = []
    for batch in streams.cooccurrence_stream(factorisable(), SHAPE, seed=2).take(steps):
        value, count = step(replicas.split(strategy, batch))["loss"]
        losses.append(float(value) / float(count))
    return losses, vectors_of(model)


def vectors_of(model):
    return np.asarray(model(np.arange(WORDS)))


def sides_of(model):
    return {"word": model.word_side, "context": model.context_side}


def spread_out(model):
    """Gives a model vectors far from zero; returns them and the accumulators, side by side."""
    generator = np.random.default_rng(1)
    for side in sides_of(model).values():
        side["vectors"].assign(generator.normal(0, 0.5, side["vectors"].shape))
        side["accumulators"].assign(generator.uniform(1, 3, side["accumulators"].shape))
    return tuple(
        {name: np.array(side[part], np.float64) for name, side in sides_of(model).items()}
        for part in ("vectors", "accumulators")
    )


def expect_state(model, vectors, accumulators=None):
    for name, side in sides_of(model).items():
        np.testing.assert_allclose(side["vectors"], vectors[name], rtol=1e-4, atol=1e-5)
        if accumulators:
            np.testing.assert_allclose(side["accumulators"], accumulators[name], rtol=1e-4)


def weighted_error(vectors, cooccurrence):
    """Weight and weighted error of a co-occurrence, and the partners of its word and context."""
    w, u = (
        vectors[side][cooccurrence[name]] for side, name in (("word", "row"), ("context", "column"))
    )
    error = w[:-1] @ u[:-1] + w[-1] + u[-1] - np.log(float(cooccurrence["value"]))
    weight = min(1, (cooccurrence["value"] / 2.0) ** 0.75)
    return weight, weight * error, {"word": np.append(u[:-1], 1), "context": np.append(w[:-1], 1)}


def train_as_in_c(vectors, accumulators, cooccurrences, rate):
    """Trains on one co-occurrence after the other, as the C program does."""
    for each in cooccurrences:
        _, error, partners = weighted_error(vectors, each)
        for side, name in (("word", "row"), ("context", "column")):
            gradient = rate * error * partners[side]
            vectors[side][each[name]] -= gradient / np.sqrt(accumulators[side][each[name]])
            accumulators[side][each[name]] += gradient**2


def train_tile_by_definition(vectors, accumulators, cooccurrences, rate):
    """Trains on a tile by the rule of `sequential_steps`, row by row; returns the loss."""
    if not len(cooccurrences):
        return 0
    known = [weighted_error(vectors, each) for each in cooccurrences]
    weights, errors, partners = zip(*known, strict=True)
    weights, errors = np.array(weights), np.array(errors)
    for side, name in (("word", "row"), ("context", "column")):
        partner = np.array([each[side] for each in partners])
        mean = weights @ partner
        mean_squares = weights @ partner**2 / weights.sum()
        mean /= np.linalg.norm(mean)
        for row in np.unique(cooccurrences[name]):
            mine = cooccurrences[name] == row
            f, e, p = weights[mine], rate * errors[mine], partner[mine]
            scale = 1 / np.sqrt(accumulators[side][row])
            gradient = e @ p
            part = gradient @ mean * mean
            along = rate * scale.mean() * f @ (p @ mean) ** 2
            across = rate * scale.mean() * f @ (p**2).sum(1) - along
            step = sum(
                which * np.mean([(1 - h / len(f)) ** n for n in range(len(f))])
                for which, h in ((part, along), (gradient - part, across / 2))
            )
            vectors[side][row] -= scale * step
            accumulators[side][row] += (e**2).sum() * mean_squares
    return (errors**2 / weights).sum() / 2


def one_tile(rows, columns, values, words=WORDS) -> CooccurrenceFile:
    records = np.empty(len(rows), COOCCURRENCE)
    records["row"], records["column"], records["value"] = rows, columns, values
    return CooccurrenceFile(np.array([0, words]), np.array([[[0, len(records)]]]), records)


def test_cooccurrences_that_share_no_word_are_trained_as_in_the_c_program():
    generator = np.random.default_rng(4)
    rows, columns = generator.permutation(WORDS), generator.permutation(WORDS)
    file = one_tile(rows, columns, generator.uniform(0.1, 5, WORDS))
    model, step = new_model(rate=0.05)
    vectors, accumulators = spread_out(model)
    step(next(iter(streams.cooccurrence_stream(file, ONE_TILE, seed=2))))
    train_as_in_c(vectors, accumulators, file.cooccurrences, rate=0.05)
    expect_state(model, vectors)


def test_one_cooccurrence_is_trained_as_in_the_c_program_again_and_again():
    file = one_tile([3], [7], [5.0])
    model, step = new_model(rate=0.05)
    vectors, accumulators = spread_out(model)
    for batch in streams.cooccurrence_stream(file, ONE_TILE, seed=2).take(10):
        step(batch)
        train_as_in_c(vectors, accumulators, file.cooccurrences, rate=0.05)
    expect_state(model, vectors, accumulators)


def test_a_step_equals_its_definition_tile_by_tile():
    model, step = new_model(rate=0.05)
    vectors, accumulators = spread_out(model)
    batch = next(iter(streams.cooccurrence_stream(factorisable(), SHAPE, seed=2)))
    loss, count = step(batch)["loss"]
    # Lane after lane of the first micro-step, then of the next one.
    by_micro_step = zip(*batch["cooccurrences"], strict=True)
    tiles = [tile.numpy().view(COOCCURRENCE).ravel() for tiles in by_micro_step for tile in tiles]
    expected = sum(
        train_tile_by_definition(vectors, accumulators, tile, rate=0.05) for tile in tiles
    )
    assert float(count) == sum(map(len, tiles)) > 0
    np.testing.assert_allclose(float(loss), expected, rtol=1e-5)
    expect_state(model, vectors, accumulators)


@pytest.mark.parametrize(("words", "steps"), [(2, 200), (16, 200), (64, 200), (512, 70)])
def test_a_dense_tile_of_frequent_words_does_not_diverge(words, steps):
    generator = np.random.default_rng(5)
    w, u = generator.normal(0, 0.7, (2, words, 3))
    rows, columns = (index.ravel() for index in np.indices((words, words)))
    file = one_tile(rows, columns, np.exp(8 + w @ u.T).ravel(), words)
    _, step = new_model(rate=0.05, words=words, x_max=10.0)
    losses = []
    for batch in streams.cooccurrence_stream(file, ONE_TILE, seed=2).take(steps):
        value, count = step(batch)["loss"]
        losses.append(float(value) / float(count))
    assert max(losses) == losses[0]
    assert max(losses[-20:]) < losses[0] / 20


def test_a_factorisable_matrix_is_factorised():
    losses, _ = train(steps=700)
    assert losses[0] > 0.05
    assert np.mean(losses[-20:]) < 1e-3


@pytest.fixture(scope="module")
def trained():
    return train()


def test_repetition_is_bit_identical(trained):
    (losses, vectors), (again, same) = trained, train()
    assert losses == again
    np.testing.assert_array_equal(vectors, same)


def test_vectors_are_the_sum_of_both_sides(tmp_path):
    model, _ = new_model()
    expected = sum(np.array(side["vectors"])[:, :DIM] for side in sides_of(model).values())
    np.testing.assert_array_equal(vectors_of(model), expected)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(vectors_of(loaded), expected)
    assert loaded.get_config() == model.get_config()


def test_two_devices_equal_one(trained, two_devices):
    losses, vectors = trained
    two_losses, two_vectors = train(two_devices)
    np.testing.assert_allclose(losses, two_losses, rtol=1e-5)
    np.testing.assert_allclose(vectors, two_vectors, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("words", [1, 2])
def test_tiny_vocabularies_train(words):
    file = one_tile([0], [0], [2.0], words)
    _, step = new_model(words=words, x_max=100.0)
    shape = streams.stream_shape(file, 4)
    counts = []
    for batch in streams.cooccurrence_stream(file, shape, seed=1).take(12):
        loss, count = step(batch)["loss"]
        assert np.isfinite(float(loss)) and float(count) >= 0
        counts.append(float(count))
    assert sum(counts) == 3

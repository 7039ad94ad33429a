"""A block step equals word2vec's updates, one pair after the other, on the same pairs."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.embeddings.word2vec.block_step import LOSS_STRIDE
from apps.embeddings.word2vec.cbow import Cbow
from apps.embeddings.word2vec.hierarchical_softmax import HierarchicalCbow, HierarchicalSkipGram
from apps.embeddings.word2vec.huffman import huffman_paths
from apps.embeddings.word2vec.skip_gram import SkipGram
from apps.embeddings.word2vec.window_blocks import BlockShape, window_blocks
from shared.engine.distribution import replicas
from shared.engine.training.train_step import build_train_step

RATE = 0.1
COUNTS = np.array([40, 25, 9, 8, 3, 2, 1])
MODELS = (SkipGram, Cbow, HierarchicalSkipGram, HierarchicalCbow)


def make_model(model_class, window, size=len(COUNTS), dim=4):
    """A model with tables of some size, in which every update can be seen."""
    if issubclass(model_class, (SkipGram, Cbow)):
        model = model_class(size, dim, window, negatives=3)
    else:
        paths = huffman_paths(COUNTS)
        model = model_class(size, dim, window, code_length=paths.nodes.shape[1])
        model.set_paths(paths)
    generator = np.random.default_rng(1)
    for table in (model.input_table, model.output_table):
        table.assign(generator.normal(size=table.shape).astype("float32"))
    model.compile(keras.optimizers.SGD(RATE))
    return model


def random_batch(window, positions=9, lanes=3, micro_steps=4, noise=4, used=3, seed=0):
    """Blocks of few words, so that words repeat, with edges of documents and padding."""
    generator = np.random.default_rng(seed)

    def integers(high, *shape):
        return generator.integers(0, high, (lanes, micro_steps, *shape), dtype=np.int32)

    batch = {
        "words": integers(len(COUNTS), positions + 2 * window),
        "left": integers(window + 1, positions),
        "right": integers(window + 1, positions),
        "noise": integers(len(COUNTS), noise),
    }
    for name in ("left", "right"):
        batch[name][-1, :, -2:] = 0
        batch[name][:, used:] = 0
    batch["micro_steps"] = np.full(lanes, used, np.int32)
    batch["raw_words"] = np.full(lanes, 70, np.int32)
    return batch


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def pairs_of(batch, step, window):
    """(lane, position, centre, context words) wherever there is context, by the definition."""
    for lane, words in enumerate(batch["words"][:, step]):
        for position in range(batch["left"].shape[2]):
            left, right = (batch[side][lane, step, position] for side in ("left", "right"))
            centre = position + window
            context = list(words[centre - left : centre]) + list(words[centre + 1 :][:right])
            if context:
                yield lane, position, words[centre], context


class PlainWord2Vec:
    """word2vec's formulas with loops; updates of a micro-step are applied at its end."""

    def __init__(self, model):
        self.model = model
        self.input = np.asarray(model.input_table, np.float64).copy()
        self.output = np.asarray(model.output_table, np.float64).copy()
        self.loss = self.pairs = 0.0

    def train(self, batch):
        for step in range(batch["micro_steps"][0]):
            old = self.input.copy(), self.output.copy()
            for lane, position, centre, context in pairs_of(batch, step, self.model.window):
                # The loss of a tree is of all positions, that of noise of some.
                self.counts = not self.model.negatives or position % LOSS_STRIDE == 0
                self.noise = batch["noise"][lane, step]
                if isinstance(self.model, (SkipGram, HierarchicalSkipGram)):
                    for word in context:
                        self.skip_gram_pair(old, centre, word)
                else:
                    self.cbow_position(old, centre, context)

    def skip_gram_pair(self, old, centre, word):
        # With noise the centre is the input, with a tree the context word: one pair either way.
        source, target = (centre, word)
        if isinstance(self.model, HierarchicalSkipGram):
            source, target = (word, centre)
        self.input[source] += self.predict(old, old[0][source], target)

    def cbow_position(self, old, centre, context):
        change = self.predict(old, old[0][context].mean(axis=0), centre)
        for word in context:
            self.input[word] += change

    def predict(self, old, vector, target):
        """Moves the output rows; returns the change of the input vector."""
        self.pairs += self.counts
        change = np.zeros_like(vector)
        for row, label, weight in self.decisions(target):
            score = vector @ old[1][row]
            self.loss -= self.counts * weight * np.log(sigmoid(score if label else -score))
            gradient = RATE * weight * (label - sigmoid(score))
            change += gradient * old[1][row]
            self.output[row] += gradient * vector
        return change

    def decisions(self, target):
        if self.model.negatives:
            weight = self.model.negatives / len(self.noise)
            return [(target, 1, 1)] + [(n, 0, weight) for n in self.noise if n != target]
        paths = huffman_paths(COUNTS)
        length = paths.lengths[target]
        signs = paths.signs[target, :length]
        return [(n, int(s > 0), 1) for n, s in zip(paths.nodes[target], signs, strict=False)]


@pytest.mark.parametrize("window", [1, 3])
@pytest.mark.parametrize("model_class", MODELS)
def test_equals_one_pair_after_the_other(model_class, window):
    model = make_model(model_class, window)
    batch = random_batch(window, seed=window)
    plain = PlainWord2Vec(model)
    plain.train(batch)
    means = model.replica_step({name: tf.constant(value) for name, value in batch.items()})
    np.testing.assert_allclose(np.asarray(model.input_table), plain.input, atol=2e-5)
    np.testing.assert_allclose(np.asarray(model.output_table), plain.output, atol=2e-5)
    np.testing.assert_allclose(float(means["loss"][0]), plain.loss, rtol=1e-5)
    assert float(means["loss"][1]) == plain.pairs
    assert float(means["kept"][0]) == np.count_nonzero(batch["left"] + batch["right"])
    assert float(means["kept"][1]) == 210
    assert int(model.optimizer.iterations) == 1


@pytest.mark.parametrize("model_class", MODELS)
def test_padding_changes_nothing(model_class):
    model = make_model(model_class, 2)
    before = [np.asarray(weight) for weight in model.weights]
    batch = random_batch(2)
    batch["left"][:] = batch["right"][:] = 0
    means = model.replica_step({name: tf.constant(value) for name, value in batch.items()})
    for old, weight in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, np.asarray(weight))
    assert float(means["loss"][1]) == 0


@pytest.mark.parametrize("model_class", MODELS)
def test_survives_saving(model_class, tmp_path):
    model = make_model(model_class, 2)
    model.save(tmp_path / "model.keras")
    revived = keras.models.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    assert revived.get_config() == model.get_config()
    for one, two in zip(model.weights, revived.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(two))
    words = np.array([[3, 0]])
    np.testing.assert_array_equal(model(words), np.asarray(model.input_table)[words])


def test_starts_like_gensim():
    model = SkipGram(1000, 50)
    table = np.asarray(model.input_table)
    assert -0.02 <= table.min() < -0.0198 and 0.0198 < table.max() <= 0.02
    assert not np.any(np.asarray(model.output_table))


def topic_corpus(documents=600):
    """Documents of one of two topics of five words, with many copies of a word of neither.

    Returns:
        (tokens, words numbered by falling count; int (11,), the topic of each word or -1).
    """
    generator = np.random.default_rng(3)
    lines = []
    for index in range(documents):
        words = generator.integers(0, 5, 20) + 5 * (index % 2)
        words[generator.random(20) < 0.3] = 10
        lines.append(np.append(words, -1))
    tokens = np.concatenate(lines)
    order = np.argsort(-np.bincount(tokens[tokens >= 0]))
    topics = np.append(np.repeat([0, 1], 5), -1)
    return np.where(tokens < 0, -1, np.argsort(order)[tokens]).astype(np.int32), topics[order]


@pytest.mark.parametrize("model_class", MODELS)
def test_puts_words_of_a_topic_together(model_class):
    """In so small a vocabulary sums of stale updates would diverge but for `prepare_training`."""
    tokens, topics = topic_corpus()
    counts = np.bincount(tokens[tokens >= 0])
    noise = counts**0.75 / (counts**0.75).sum()
    keras.utils.set_random_seed(1)
    if issubclass(model_class, (SkipGram, Cbow)):
        model = model_class(len(counts), 16, 5, negatives=5)
    else:
        paths = huffman_paths(counts)
        model = model_class(len(counts), 16, 5, code_length=paths.nodes.shape[1])
        model.set_paths(paths)
    model.compile(keras.optimizers.SGD(0.05))
    shape = BlockShape(window=5, positions=8, noise=16, lanes=64)
    model.prepare_training(counts / counts.sum(), noise, shape.micro_step)
    for batch in window_blocks(tokens, np.ones(11), noise, shape, 4000, seed=1).take(60):
        model.replica_step(batch)
    vectors = np.asarray(model.input_table)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity = vectors @ vectors.T
    one, two = np.flatnonzero(topics == 0), np.flatnonzero(topics == 1)
    across = similarity[np.ix_(one, two)].max()
    assert min(similarity[np.ix_(t, t)].min() for t in (one, two)) > across + 0.2


def test_rows_with_many_expected_updates_move_less():
    model = make_model(SkipGram, 1)
    batch = random_batch(1, used=1)
    batch = {name: tf.constant(value) for name, value in batch.items()}
    before = np.asarray(model.input_table)
    model.replica_step(batch)
    free = np.asarray(model.input_table) - before
    damped = make_model(SkipGram, 1)
    kept, noise = np.array([1.0, 0, 0, 0, 0, 0, 0]), np.full(7, 1 / 7)
    damped.prepare_training(kept, noise, positions=10)
    damped.replica_step(batch)
    moved = np.asarray(damped.input_table) - before
    # Ten positions, two context words, one of them and three noise words make 80 products.
    np.testing.assert_allclose(moved[0], free[0] * 2.0 / (80 * RATE), atol=1e-6)
    np.testing.assert_allclose(moved[1:], free[1:], atol=1e-6)


@pytest.mark.parametrize("model_class", MODELS)
def test_two_runs_end_in_the_same_bits(model_class):
    """Large enough that products are split over threads and rows are named thousands of times."""
    generator = np.random.default_rng(0)
    tokens = generator.zipf(1.3, 8_000).astype(np.int32) % len(COUNTS)
    noise = np.full(len(COUNTS), 1 / len(COUNTS))
    shape = BlockShape(window=5, positions=16, noise=16, lanes=64)

    def tables():
        model = make_model(model_class, 5, dim=64)
        model.prepare_training(noise, noise, shape.micro_step)
        stream = window_blocks(tokens, np.ones(len(COUNTS)), noise, shape, 4000, seed=1)
        for batch in stream.take(2):
            model.replica_step(batch)
        return np.asarray(model.input_table), np.asarray(model.output_table)

    for one, two in zip(tables(), tables(), strict=True):
        assert np.isfinite(one).all()
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("model_class", MODELS)
def test_two_devices_equal_one(model_class, two_devices):
    results = []
    for strategy in (tf.distribute.get_strategy(), two_devices):
        with strategy.scope():
            model = make_model(model_class, 2)
            model.optimizer.learning_rate = 0.03
            model.prepare_training(np.full(7, 1 / 7), np.full(7, 1 / 7), positions=15)
            model.optimizer.build(model.trainable_variables)
            step = build_train_step(model, strategy, None)
        for seed in range(2):
            batch = random_batch(2, lanes=5, micro_steps=2, used=2, seed=seed)
            batch = {name: tf.constant(value) for name, value in batch.items()}
            means = step(replicas.split(strategy, batch))
        loss = float(means["loss"][0] / means["loss"][1])
        results.append((np.asarray(model.input_table), np.asarray(model.output_table), loss))
    for left, right in zip(*results, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-5, rtol=1e-5)

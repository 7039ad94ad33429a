"""Sampling against the probabilities of the model; no draw depends on the others in its batch."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from shared.decoding import sampling
from shared.decoding.sampling import gumbel_noise, keep_likely, sample
from tests.shared.decoding.table_model import END, SIZE, START, log_softmax, step_of, table


def seeds_of(numbers, first=7):
    return tf.constant([[first, number] for number in numbers], tf.int64)


def sampled(logits, seeds, limits, **options):
    """Draws from the model of a table."""
    return sampler(**options)(tf.constant(logits), seeds, tf.constant(limits))


@functools.cache
def sampler(**options):
    """One graph for all tables (B, V, V, V), seeds (B, 2) and limits (B,)."""

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, SIZE, SIZE, SIZE)),
            tf.TensorSpec((None, 2), tf.int64),
            tf.TensorSpec((None,), tf.int32),
        ]
    )
    def decoded(logits, seeds, limits):
        state = {"before": tf.zeros([tf.shape(logits)[0], 1], tf.int32)}
        return sample(
            step_of(logits), state, limits=limits, start=START, end=END, seeds=seeds,
            vocabulary_size=SIZE, **options,
        )  # fmt: skip

    return decoded


def first_tokens(logits, first=7, **options):
    """The first token of each row, each with a seed of its own."""
    rows = len(logits)
    found = sampled(logits, seeds_of(range(rows), first), [1] * rows, **options)
    return found.tokens[:, 0, 0].numpy()


def test_noise_has_its_distribution_and_each_row_its_own():
    """Gumbel's, whose distribution function is exp(-exp(-x))."""
    noise = gumbel_noise(seeds_of(range(50)), 3, 100, 20).numpy()
    assert noise.shape == (50, 100, 20) and not np.isnan(noise).any()
    counts = np.histogram(np.exp(-np.exp(-noise.astype(np.float64))), 10, (0, 1))[0] / noise.size
    np.testing.assert_allclose(counts, 0.1, atol=0.005)
    assert len({row.tobytes() for row in noise}) == 50
    np.testing.assert_array_equal(gumbel_noise(seeds_of([31]), 3, 100, 20)[0], noise[31])
    assert (gumbel_noise(seeds_of([31]), 4, 100, 20)[0].numpy() != noise[31]).mean() > 0.99


def test_no_step_has_the_noise_of_another(monkeypatch):
    """In blocks of steps, the last of them cut by the limit."""
    monkeypatch.setattr(sampling, "NUMBERS", 4 * SIZE)
    logits = np.zeros((3, SIZE, SIZE, SIZE), np.float32)
    state = {"before": tf.zeros([3, 1], tf.int32)}
    found = sample(
        step_of(logits), state, limits=tf.fill([3], 10), start=START, end=-1,
        vocabulary_size=SIZE, seeds=seeds_of(range(3)),
    )  # fmt: skip
    blocks = [gumbel_noise(seeds_of(range(3)), block, 4, SIZE) for block in range(3)]
    expected = tf.argmax(tf.concat(blocks, axis=1), axis=-1)[:, :10]
    np.testing.assert_array_equal(found.tokens[:, 0], expected)


def test_rounding_changes_no_text():
    """Logits that differ as they do between batches of other sizes, of a large vocabulary."""
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(1, 30_000)).astype(np.float32) * 2
    other = logits * (1 + 1e-6 * generator.normal(size=logits.shape)).astype(np.float32)
    found = [
        tf.function(sample)(
            lambda tokens, index, state, here=here: (here[:, None], state),
            (),
            limits=tf.constant([300]),
            start=START,
            end=END,
            vocabulary_size=30_000,
            seeds=seeds_of([5]),
        )  # fmt: skip
        for here in map(tf.constant, (logits, other))
    ]
    np.testing.assert_array_equal(found[0].tokens, found[1].tokens)
    assert len(set(found[0].tokens[0, 0].numpy().tolist())) > 100


@pytest.mark.parametrize(
    "options",
    [{}, {"temperature": 0.7}, {"never": (0, 4)}, {"top_k": 2}, {"temperature": 2.0, "top_k": 3}],
)
def test_samples_have_the_model_s_frequencies(options):
    logits = np.repeat(table(1, 1), 10_000, axis=0)
    row = logits[0, 0, START] / options.get("temperature", 1.0)
    row[list(options.get("never", ()))] = -np.inf
    row[row < np.sort(row)[-options.get("top_k", SIZE)]] = -np.inf
    found = np.bincount(first_tokens(logits, **options), minlength=SIZE) / len(logits)
    np.testing.assert_allclose(found, np.exp(log_softmax(row)), atol=0.015)


def test_the_same_seed_draws_the_same():
    logits = table(1, 50)
    np.testing.assert_array_equal(first_tokens(logits, 4), first_tokens(logits, 4))
    assert (first_tokens(logits, 4) != first_tokens(logits, 5)).any()


@pytest.mark.parametrize("options", [{}, {"top_k": 3}, {"top_p": 0.8}, {"temperature": 2.0}])
def test_no_row_depends_on_the_others(options):
    logits, limits = table(5, 8), np.random.default_rng(1).integers(3, 30, 8).tolist()
    together = sampled(logits, seeds_of(range(8)), limits, **options)
    tokens, scores = together.tokens[:, 0].numpy(), together.scores[:, 0]
    for row in range(8):
        one = slice(row, row + 1)
        alone = sampled(logits[one], seeds_of([row]), limits[one], **options)
        np.testing.assert_array_equal(alone.tokens[0, 0], tokens[row, : limits[row]])
        np.testing.assert_allclose(alone.scores[0, 0], scores[row], rtol=1e-5)
        assert not tokens[row, limits[row] :].any()
    again = sampled(logits[::-1], seeds_of(range(7, -1, -1)), limits[::-1], **options)
    np.testing.assert_array_equal(again.tokens[::-1, 0], tokens)


@pytest.mark.parametrize("options", [{}, {"temperature": 3.0, "top_k": 4}])
def test_the_score_is_the_model_s_own(options):
    """Whatever is left out and however warm: the sum of the model's log-probabilities."""
    logits = table(6, 20)
    found = sampled(logits, seeds_of(range(20)), [9] * 20, never=(0,), **options)
    for number in range(20):
        before, last, total = 0, START, 0.0
        for token in found.tokens[number, 0, : found.lengths[number, 0]].numpy():
            total += log_softmax(logits[number, before, last])[token]
            before, last = last, token
        assert float(found.scores[number, 0]) == pytest.approx(total, rel=1e-4)


def test_top_1_is_greedy():
    logits = table(2, 30)
    np.testing.assert_array_equal(first_tokens(logits, top_k=1), logits[:, 0, START].argmax(-1))
    cold = first_tokens(logits, temperature=0.0)
    np.testing.assert_array_equal(cold, logits[:, 0, START].argmax(-1))


def test_repetition_is_penalised_as_in_the_paper():
    """Frequencies of the second token, where the first is known and another stands before."""
    rows, penalty, first = 4000, 1.7, 4
    logits = np.repeat(table(11, 1), rows, axis=0)
    seen = tf.constant(np.eye(SIZE, dtype=bool)[[3]].repeat(rows, axis=0))
    found = tf.function(sample)(
        step_of(logits), {"before": tf.zeros([rows, 1], tf.int32)}, limits=tf.fill([rows], 2),
        start=tf.fill([rows], START), end=END, seeds=seeds_of(range(rows)), vocabulary_size=SIZE,
        never=(START, END), repetition_penalty=penalty, seen=seen,
    )  # fmt: skip
    tokens = found.tokens[:, 0].numpy()
    chosen = tokens[tokens[:, 0] == first, 1]
    row = logits[0, START, first].astype(np.float64).copy()
    for token in (3, first):
        row[token] = row[token] / penalty if row[token] > 0 else row[token] * penalty
    row[[1, 2]] = -np.inf
    expected = np.exp(log_softmax(row))
    share = np.bincount(chosen, minlength=SIZE) / len(chosen)
    np.testing.assert_allclose(share, expected, atol=4 / len(chosen) ** 0.5)


def test_a_stop_ends_a_sentence():
    def stops(tokens, index):
        return tokens[:, index] == 4

    logits = table(12, 40)
    options = {"limits": tf.fill([40], 12), "start": START, "end": END, "never": (0,)}
    options["vocabulary_size"] = SIZE
    state = {"before": tf.zeros([40, 1], tf.int32)}
    seeds = seeds_of(range(40))
    whole = sample(step_of(logits), state, seeds=seeds, **options).tokens[:, 0].numpy()
    found = sample(step_of(logits), state, seeds=seeds, stops=stops, **options)
    for long, tokens, length in zip(
        whole, found.tokens[:, 0].numpy(), found.lengths[:, 0].numpy(), strict=True
    ):
        np.testing.assert_array_equal(tokens[:length], long[:length])
        assert 4 not in tokens[: length - 1]
        assert tokens[length - 1] in (4, END) or length == 12


@pytest.mark.parametrize("top_p", [0.1, 0.5, 0.9, 1.0])
def test_top_p_keeps_the_smallest_set_that_is_likely_enough(top_p):
    logits = table(9, 10)[:, 0, 0]
    kept = keep_likely(tf.constant(logits), 0, top_p).numpy() > -1e8
    for row, keeps in zip(logits, kept, strict=True):
        probabilities = np.exp(log_softmax(row))
        chosen, total = set(), 0.0
        for token in np.argsort(-probabilities):
            if total >= top_p:
                break
            chosen.add(int(token))
            total += probabilities[token]
        assert set(np.flatnonzero(keeps)) == chosen


def test_nothing_is_left_out_unasked():
    """Not even what lies beyond a probability of 1 where probabilities are added up and rounded."""
    logits = np.array([[40.0, 0.0, -5.0]], np.float32)
    np.testing.assert_array_equal(keep_likely(tf.constant(logits), 0, 1.0), logits)
    assert keep_likely(tf.constant(logits), 0, 0.9999)[0, 1] < -1e8


def test_samples_end_and_are_padded():
    found = sampled(table(4, 40), seeds_of(range(40)), [8] * 40, never=(0,))
    for tokens, length in zip(found.tokens[:, 0].numpy(), found.lengths[:, 0].numpy(), strict=True):
        assert tokens[length - 1] == END or length == 8
        assert (tokens[:length] != 0).all() and (tokens[length:] == 0).all()

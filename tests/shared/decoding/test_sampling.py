"""Sampling against the probabilities of the model; no draw depends on the others in its batch."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from shared.decoding.sampling import NUMBERS, draw, keep_likely, sample, uniform_rows
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
            step_of(logits), state, limits=limits, start=START, end=END, seeds=seeds, **options
        )

    return decoded


def first_tokens(logits, first=7, **options):
    """The first token of each row, each with a seed of its own."""
    rows = len(logits)
    found = sampled(logits, seeds_of(range(rows), first), [1] * rows, **options)
    return found.tokens[:, 0, 0].numpy()


def test_draw_inverts_the_sums_of_probabilities():
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(200, SIZE)).astype("float32")
    numbers = generator.random(200).astype("float32")
    probabilities = np.exp(logits.astype("float64"))
    probabilities /= probabilities.sum(1, keepdims=True)
    expected = [
        np.searchsorted(np.cumsum(p), u) for p, u in zip(probabilities, numbers, strict=True)
    ]
    np.testing.assert_array_equal(draw(tf.constant(logits), tf.constant(numbers)), expected)
    # Tokens of no probability are never drawn, not by the ends of the interval either.
    rows = tf.constant([[-1e9, 0.0, -1e9]] * 2)
    ends = tf.constant([0.0, np.nextafter(np.float32(1), np.float32(0))])
    np.testing.assert_array_equal(draw(rows, ends), [1, 1])


def test_numbers_are_even_and_each_row_has_its_own():
    rows = uniform_rows(seeds_of(range(50))).numpy()
    assert rows.shape == (50, NUMBERS) and (rows >= 0).all() and (rows < 1).all()
    counts = np.histogram(rows, 10, (0, 1))[0] / rows.size
    np.testing.assert_allclose(counts, 0.1, atol=0.005)
    assert len({row.tobytes() for row in rows}) == 50
    np.testing.assert_array_equal(uniform_rows(seeds_of([31]))[0], rows[31])


@pytest.mark.parametrize(
    "options",
    [{}, {"temperature": 0.7}, {"never": (0, 4)}, {"top_k": 2}, {"temperature": 2.0, "top_k": 3}],
)
def test_samples_have_the_model_s_frequencies(options):
    logits = np.repeat(table(1, 1), 20_000, axis=0)
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


def test_samples_end_and_are_padded():
    found = sampled(table(4, 40), seeds_of(range(40)), [8] * 40, never=(0,))
    for tokens, length in zip(found.tokens[:, 0].numpy(), found.lengths[:, 0].numpy(), strict=True):
        assert tokens[length - 1] == END or length == 8
        assert (tokens[:length] != 0).all() and (tokens[length:] == 0).all()

"""Draws of which none depends on the others in its batch."""

import numpy as np
import pytest
import tensorflow as tf

from apps.translation.row_sampling import NUMBERS, draw, sample_rows, uniform_rows

SIZE, END, START = 5, 2, 1


def seeds_of(numbers):
    return tf.constant([[7, number] for number in numbers], tf.int64)


def sampled(logits, seeds, limits, **options):
    """Tokens of a model whose logits (B, V) are the same at every step."""

    def step(tokens, index, state):
        return tf.constant(logits)[:, None], state

    @tf.function
    def draws():
        return sample_rows(
            step, tf.constant(0), seeds=seeds, limits=tf.constant(limits), start=START, end=END,
            **options,
        )  # fmt: skip

    return draws().numpy()


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
    # What has no probability is never drawn, not by the ends of the interval either.
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


def test_samples_have_the_probabilities_of_the_model():
    logits = np.log([[0.05, 0.1, 0.2, 0.25, 0.4]]).astype("float32")
    rows = 4000
    found = sampled(np.repeat(logits, rows, 0), seeds_of(range(rows)), [1] * rows, never=(0,))[:, 0]
    counts = np.bincount(found, minlength=SIZE) / rows
    np.testing.assert_allclose(
        counts, [0, 0.1 / 0.95, 0.2 / 0.95, 0.25 / 0.95, 0.4 / 0.95], atol=0.03
    )
    two = sampled(np.repeat(logits, rows, 0), seeds_of(range(rows)), [1] * rows, top_k=2)[:, 0]
    counts = np.bincount(two, minlength=SIZE) / rows
    np.testing.assert_allclose(counts, [0, 0, 0, 0.25 / 0.65, 0.4 / 0.65], atol=0.03)


@pytest.mark.parametrize("options", [{}, {"top_k": 3}, {"top_p": 0.8}, {"temperature": 2.0}])
def test_no_row_depends_on_the_others(options):
    generator = np.random.default_rng(1)
    logits = generator.normal(size=(8, SIZE)).astype("float32")
    limits = generator.integers(3, 30, 8).tolist()
    together = sampled(logits, seeds_of(range(8)), limits, **options)
    for row in range(8):
        alone = sampled(logits[row : row + 1], seeds_of([row]), limits[row : row + 1], **options)
        np.testing.assert_array_equal(alone[0], together[row, : limits[row]])
        assert not together[row, limits[row] :].any()
    again = sampled(logits[::-1], seeds_of(range(7, -1, -1)), limits[::-1], **options)
    np.testing.assert_array_equal(again[::-1], together)


def test_samples_end_and_are_padded():
    found = sampled(np.zeros((40, SIZE), "float32"), seeds_of(range(40)), [50] * 40, never=(0,))
    for row in found:
        if END in row:
            assert not row[list(row).index(END) + 1 :].any()
    assert sum(END in row for row in found) > 35

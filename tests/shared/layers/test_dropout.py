"""Dropout: the share that it drops, the scale of kept values, and that draws differ."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from shared.layers import Dropout
from shared.testing.layer_test import run_layer_test


def test_contract():
    run_layer_test(Dropout, {"rate": 0.3, "seed": 1}, (4, 5, 6), (4, 5, 6))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_rate_is_dropped_and_the_mean_stays(rate):
    """Within five standard deviations of a binomial count; the rate is in steps of 1/256."""
    rate = round(256 * rate) / 256
    found = np.asarray(Dropout(rate, seed=3)(np.ones((500, 801), "float32"), training=True))
    dropped, size = np.sum(found == 0), found.size
    assert abs(dropped - rate * size) < 5 * np.sqrt(size * rate * (1 - rate))
    np.testing.assert_allclose(found[found != 0], 1 / (1 - rate), rtol=1e-6)


def test_neighbours_are_independent():
    """Four elements share a draw: two are both dropped as often as two independent ones."""
    found = np.asarray(Dropout(0.5, seed=4)(np.ones((1000, 400), "float32"), training=True)) == 0
    fours = found.reshape(-1, 4)
    for one, other in itertools.combinations(range(4), 2):
        both, expected = (fours[:, one] & fours[:, other]).mean(), 0.25
        assert abs(both - expected) < 5 * np.sqrt(expected * (1 - expected) / len(fours))


def test_each_call_draws_anew_and_a_seed_repeats():
    ones = np.ones((3, 7), "float32")
    first, again = Dropout(0.5, seed=5), Dropout(0.5, seed=5)
    draws = [np.asarray(first(ones, training=True)) for _ in range(2)]
    assert not np.array_equal(*draws)
    np.testing.assert_array_equal(again(ones, training=True), draws[0])


def test_nothing_is_dropped_outside_training_or_at_rate_zero():
    values = np.arange(6, dtype="float32")
    np.testing.assert_array_equal(Dropout(0.5)(values), values)
    np.testing.assert_array_equal(Dropout(0.0)(values, training=True), values)


def test_the_gradient_passes_where_values_do():
    inputs = tf.ones((4, 9))
    layer = Dropout(0.4, seed=6)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, training=True)
    np.testing.assert_array_equal(tape.gradient(outputs, inputs), outputs)


def test_lengths_that_are_not_known_when_the_graph_is_made():
    layer = Dropout(0.5, seed=7)
    call = tf.function(
        lambda x: layer(x, training=True), input_signature=[tf.TensorSpec((None, None))]
    )
    assert call(tf.ones((3, 5))).shape == (3, 5)
    assert call(tf.ones((0, 5))).shape == (0, 5)


def test_rates_outside_zero_to_one_are_refused():
    with pytest.raises(ValueError, match=r"\[0, 1\)"):
        Dropout(1.0)


def test_half_precision_stays_half():
    assert Dropout(0.5, dtype="mixed_bfloat16")(
        keras.ops.ones((2, 3), "bfloat16"), training=True
    ).dtype == "bfloat16"  # fmt: skip

"""The smooth L1 loss against its two branches in plain Python."""

import numpy as np
import pytest
import tensorflow as tf

from shared.losses import smooth_l1


@pytest.mark.parametrize("beta", [1.0, 1 / 9])
def test_values_and_slopes(beta):
    differences = np.random.default_rng(0).normal(0, 2 * beta, 200).astype("float32")
    given = tf.constant(differences)
    with tf.GradientTape() as tape:
        tape.watch(given)
        loss = smooth_l1(given, beta)
    slopes = tape.gradient(loss, given)
    for d, value, slope in zip(differences, loss.numpy(), slopes.numpy(), strict=True):
        inside = abs(d) < beta
        assert value == pytest.approx(d * d / (2 * beta) if inside else abs(d) - beta / 2, rel=1e-4)
        assert slope == pytest.approx(d / beta if inside else np.sign(d), rel=1e-4)


def test_at_zero_and_in_half_precision():
    given = tf.zeros(3, "bfloat16")
    with tf.GradientTape() as tape:
        tape.watch(given)
        loss = smooth_l1(given)
    assert loss.dtype == "float32" and not loss.numpy().any()
    assert not tape.gradient(loss, given).numpy().any()

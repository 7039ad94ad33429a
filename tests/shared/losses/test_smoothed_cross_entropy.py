"""Label smoothing against scikit-learn's log loss and the definition."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import log_loss

from shared.losses import smoothed_cross_entropy


@pytest.fixture
def batch():
    generator = np.random.default_rng(1)
    return generator.integers(0, 5, (3, 4)), generator.normal(size=(3, 4, 5)).astype("float32")


def probabilities(logits):
    powers = np.exp(logits.astype(np.float64))
    return powers / powers.sum(-1, keepdims=True)


def test_without_smoothing_it_is_the_log_loss(batch):
    labels, logits = batch
    expected = log_loss(labels.ravel(), probabilities(logits).reshape(-1, 5), labels=range(5))
    assert np.mean(smoothed_cross_entropy(labels, logits)) == pytest.approx(expected, rel=1e-5)


def test_smoothing_follows_the_definition(batch):
    labels, logits = batch
    targets = np.full((3, 4, 5), 0.1 / 5)
    np.put_along_axis(targets, labels[..., None], 0.9 + 0.1 / 5, axis=-1)
    expected = -(targets * np.log(probabilities(logits))).sum(-1)
    np.testing.assert_allclose(smoothed_cross_entropy(labels, logits, 0.1), expected, rtol=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_gradient_follows_the_definition(batch, smoothing):
    """Of a weighted sum: weight times (probabilities - targets)."""
    labels, logits = batch
    weights = np.linspace(0.0, 2.0, 12).reshape(3, 4).astype("float32")
    inputs = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        loss = tf.reduce_sum(weights * smoothed_cross_entropy(labels, inputs, smoothing))
    targets = (1 - smoothing) * np.eye(5)[labels] + smoothing / 5
    expected = weights[..., None] * (probabilities(logits) - targets)
    np.testing.assert_allclose(tape.gradient(loss, inputs), expected, atol=1e-6)


def test_large_logits_neither_overflow_nor_vanish():
    logits = np.array([[1000.0, 0.0, -1000.0], [0.0, 1e-3, 0.0]], np.float32)
    found = smoothed_cross_entropy(np.array([1, 1]), logits)
    np.testing.assert_allclose(found, [1000.0, np.log(3) - 1e-3 * 2 / 3], rtol=1e-5)

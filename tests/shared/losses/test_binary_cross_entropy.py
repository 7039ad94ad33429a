"""Binary cross-entropy against its definition in NumPy, scikit-learn and Keras."""

import keras
import numpy as np
import pytest
from sklearn.metrics import log_loss

from shared.losses import binary_cross_entropy, softened_binary_cross_entropy


@pytest.fixture
def batch():
    generator = np.random.default_rng(1)
    targets = (generator.random((6, 4)) < 0.4).astype("float32")
    return targets, generator.normal(0, 3, (6, 4)).astype("float32")


def probabilities(logits):
    return 1 / (1 + np.exp(-logits.astype(np.float64)))


def test_it_is_the_log_loss(batch):
    targets, logits = batch
    expected = log_loss(targets.ravel(), probabilities(logits).ravel())
    assert np.mean(binary_cross_entropy(targets, logits)) == pytest.approx(expected, rel=1e-5)


def test_weights_and_smoothing_follow_the_definition(batch):
    targets, logits = batch
    weights, p = np.array([1.0, 2.0, 0.5, 7.0]), probabilities(logits)
    smooth = targets * 0.8 + 0.1
    expected = -(weights * smooth * np.log(p) + (1 - smooth) * np.log(1 - p))
    found = binary_cross_entropy(targets, logits, weights, 0.2)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    keras_loss = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.2)
    mean = np.mean(binary_cross_entropy(targets, logits, smoothing=0.2))
    assert mean == pytest.approx(float(keras_loss(targets, logits)), rel=1e-5)


def test_large_logits_do_not_overflow():
    found = binary_cross_entropy(np.array([1.0, 0.0, 1.0]), np.array([-1000.0, 1000.0, 1000.0]))
    np.testing.assert_allclose(found, [1000, 1000, 0])


def test_a_softened_teacher_is_the_target(batch):
    _, logits = batch
    teacher, soft = logits[::-1] / 2, probabilities(logits / 4)
    target = probabilities(teacher / 4)
    expected = -16 * (target * np.log(soft) + (1 - target) * np.log(1 - soft))
    found = softened_binary_cross_entropy(teacher, logits, 4.0)
    np.testing.assert_allclose(found, expected, rtol=1e-4)

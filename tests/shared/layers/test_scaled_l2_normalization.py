"""The normalisation of conv4_3 against NumPy, and in training."""

import numpy as np

from shared.layers import ScaledL2Normalization
from shared.testing.layer_test import run_layer_test


def test_every_position_has_the_scale_as_its_norm():
    features = np.random.default_rng(0).normal(0, 50, (2, 3, 4, 8)).astype("float32")
    outputs = np.asarray(ScaledL2Normalization(20.0)(features))
    norms = np.sqrt((features.astype("float64") ** 2).sum(axis=-1, keepdims=True))
    np.testing.assert_allclose(outputs, 20 * features / norms, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(outputs, axis=-1), 20, rtol=1e-5)


def test_channels_have_scales_of_their_own_and_zeros_stay_finite():
    layer = ScaledL2Normalization(1.0)
    layer.build((None, 2))
    layer.gamma.assign([2.0, 3.0])
    np.testing.assert_allclose(layer(np.array([[3.0, 4.0]])), [[1.2, 2.4]], rtol=1e-5)
    assert not np.asarray(layer(np.zeros((1, 2)))).any()


def test_contract():
    inputs = np.random.default_rng(0).normal(size=(2, 3, 3, 4)).astype("float32")
    run_layer_test(ScaledL2Normalization, {"scale": 5.0}, inputs, (2, 3, 3, 4))

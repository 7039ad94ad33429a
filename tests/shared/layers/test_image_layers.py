"""The layers of the image networks, against NumPy, TensorFlow and keras.applications."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from shared.layers import DropPath, ImageNormalization, LocalResponseNormalization
from shared.testing.layer_test import run_layer_test

RANDOM = np.random.default_rng(0)


def test_drop_path_contract():
    run_layer_test(DropPath, {"rate": 0.4, "seed": 3}, (4, 2, 2, 3), (4, 2, 2, 3))


def test_drop_path_drops_whole_examples_and_keeps_the_mean():
    outputs = np.asarray(DropPath(0.25, seed=1)(np.ones((2000, 3, 5), "float32"), training=True))
    per_example = outputs.reshape(2000, -1)
    assert (per_example == per_example[:, :1]).all()
    assert set(np.round(np.unique(outputs), 5)) == {0.0, np.float32(1.33333)}
    assert (per_example[:, 0] == 0).mean() == pytest.approx(0.25, abs=0.04)


def test_drop_path_is_the_identity_at_inference():
    images = RANDOM.normal(size=(3, 2, 2, 1)).astype("float32")
    np.testing.assert_array_equal(DropPath(0.9)(images, training=False), images)


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_drop_path_refuses_impossible_rates(rate):
    with pytest.raises(ValueError, match="rate"):
        DropPath(rate)


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch", "none"])
def test_image_normalization_contract(mode):
    images = RANDOM.uniform(0, 255, size=(2, 4, 5, 3)).astype("float32")
    run_layer_test(ImageNormalization, {"mode": mode}, images, (2, 4, 5, 3))


@pytest.mark.parametrize(
    "mode, module",
    [("caffe", "vgg16"), ("tf", "xception"), ("torch", "densenet"), ("none", "efficientnet")],
)
def test_image_normalization_agrees_with_keras_applications(mode, module):
    images = RANDOM.integers(0, 256, size=(2, 6, 5, 3), dtype=np.uint8)
    expected = getattr(keras.applications, module).preprocess_input(images.astype("float32"))
    np.testing.assert_allclose(ImageNormalization(mode)(images), expected, atol=2e-5)


def test_image_normalization_stays_float32_in_a_mixed_network():
    images = RANDOM.uniform(0, 255, size=(1, 4, 4, 3)).astype("float32")
    assert ImageNormalization("caffe", dtype="float32")(images).dtype == tf.float32


def test_image_normalization_refuses_unknown_modes():
    with pytest.raises(ValueError, match="caffe, tf, torch, none"):
        ImageNormalization("coffee")


def test_local_response_normalization_contract():
    run_layer_test(LocalResponseNormalization, {"depth_radius": 1}, (2, 3, 4, 6), (2, 3, 4, 6))


@pytest.mark.parametrize("depth_radius, alpha", [(2, 1e-4), (1, 0.5), (9, 0.1)])
def test_local_response_normalization_agrees_with_tensorflow(depth_radius, alpha):
    values = 10 * RANDOM.normal(size=(2, 3, 4, 7)).astype("float32")
    expected = tf.nn.local_response_normalization(values, depth_radius, 2.0, alpha, 0.75)
    layer = LocalResponseNormalization(depth_radius, bias=2.0, alpha=alpha, beta=0.75)
    np.testing.assert_allclose(layer(values), expected, rtol=1e-5)

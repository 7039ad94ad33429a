"""Pixel shuffle and bicubic enlargement against their definitions."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from shared.image import bicubic
from shared.layers import BicubicUpsampling, PixelShuffle
from shared.testing.layer_test import run_layer_test

RANDOM = np.random.default_rng(0)


def test_pixel_shuffle_contract():
    run_layer_test(PixelShuffle, {"scale": 2}, (2, 3, 4, 12), (2, 6, 8, 3))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_pixel_shuffle_follows_its_definition(scale):
    values = RANDOM.normal(size=(2, 3, 4, 5 * scale**2)).astype("float32")
    shuffled = np.asarray(PixelShuffle(scale)(values))
    np.testing.assert_array_equal(shuffled, tf.nn.depth_to_space(values, scale))
    y, x, channel = 2 * scale + 1, 3 * scale, 4
    assert shuffled[1, y, x, channel] == values[1, 2, 3, (1 * scale + 0) * 5 + channel]


def test_pixel_shuffle_of_any_size():
    model = keras.Sequential([keras.Input((None, None, 8)), PixelShuffle(2)])
    assert model.output_shape == (None, None, None, 2)
    assert model(np.zeros((1, 5, 7, 8), "float32")).shape == (1, 10, 14, 2)


def test_pixel_shuffle_refuses_channels_that_do_not_divide():
    with pytest.raises(ValueError, match=r"10 channels do not divide by 2\*\*2"):
        PixelShuffle(2)(np.zeros((1, 2, 2, 10), "float32"))


def test_bicubic_contract():
    run_layer_test(BicubicUpsampling, {"scale": 2}, (2, 3, 4, 3), (2, 6, 8, 3))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_is_the_enlargement_of_whole_images(scale):
    images = RANDOM.uniform(0, 255, size=(2, 5, 7, 3)).astype("float32")
    enlarged = BicubicUpsampling(scale)(images)
    expected = [bicubic.enlarge(image.astype(np.float64), scale) for image in images]
    np.testing.assert_allclose(enlarged, expected, atol=1e-3)


def test_bicubic_of_any_size():
    model = keras.Sequential([keras.Input((None, None, 3)), BicubicUpsampling(3)])
    assert model.output_shape == (None, None, None, 3)
    assert model(np.zeros((1, 2, 2, 3), "float32")).shape == (1, 6, 6, 3)

"""Reflection padding against numpy."""

import keras
import numpy as np
import pytest

from shared.layers import ReflectionPadding
from shared.testing.layer_test import run_layer_test


@pytest.mark.parametrize("padding", [1, 3])
def test_layer(padding):
    side = 5 + 2 * padding
    run_layer_test(ReflectionPadding, {"padding": padding}, (2, 5, 5, 3), (2, side, side, 3))


@pytest.mark.parametrize("padding", [0, 1, 3])
def test_pads_as_numpy_does(padding):
    images = np.random.default_rng(0).normal(size=(2, 4, 6, 3)).astype("float32")
    sides = (padding, padding)
    expected = np.pad(images, ((0, 0), sides, sides, (0, 0)), mode="reflect")
    np.testing.assert_array_equal(ReflectionPadding(padding)(images), expected)


def test_sizes_may_be_unknown():
    inputs = keras.Input((None, None, 3))
    assert ReflectionPadding(2)(inputs).shape == (None, None, None, 3)

"""The k largest values, against TensorFlow's own search."""

import numpy as np
import pytest
import tensorflow as tf

from shared.decoding.top_k import top_k


@pytest.mark.parametrize("size", [1, 63, 64, 65, 128, 1000, 8000])
@pytest.mark.parametrize("k", [1, 5, 63])
def test_equals_a_full_search(size, k):
    k = min(k, size)
    generator = np.random.default_rng(size + k)
    values = generator.normal(size=(3, 4, size)).astype(np.float32)
    for found, expected in zip(top_k(values, k), tf.math.top_k(values, k), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_of_equal_values_the_first_is_taken():
    values = np.random.default_rng(0).integers(0, 4, (8, 500)).astype(np.float32)
    np.testing.assert_array_equal(top_k(values, 9)[1], tf.math.top_k(values, 9)[1])


def test_all_may_be_as_small_as_can_be():
    values = np.full((2, 70), -np.inf, np.float32)
    values[1, 69] = 1.0
    np.testing.assert_array_equal(top_k(values, 3)[1], tf.math.top_k(values, 3)[1])


def test_k_may_be_a_tensor_and_the_rows_unknown():
    @tf.function(input_signature=[tf.TensorSpec([None, None, 200]), tf.TensorSpec([], tf.int32)])
    def function(values, k):
        return top_k(values, k)

    values = np.random.default_rng(1).normal(size=(2, 3, 200)).astype(np.float32)
    found, indices = function(values, 150)
    assert found.shape == indices.shape == (2, 3, 150)
    np.testing.assert_array_equal(indices, tf.math.top_k(values, 150)[1])

"""ConvNormActivation and the residual blocks: contract, arithmetic, structure."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from shared.layers import BasicBlock, BottleneckBlock, ConvNormActivation
from shared.testing.layer_test import run_layer_test

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize(
    "arguments, shape",
    [
        ({"filters": 4}, (2, 6, 5, 4)),
        ({"filters": 4, "strides": 2, "padding": "symmetric"}, (2, 3, 3, 4)),
        ({"filters": 4, "strides": 2, "padding": "valid", "batch_norm": False}, (2, 2, 2, 4)),
        (
            {
                "filters": 3,
                "kernel_size": 1,
                "use_bias": True,
                "activation": "silu",
                "momentum": 0.7,
                "epsilon": 1e-3,
                "synchronized": True,
                "kernel_initializer": keras.initializers.RandomNormal(0.0, 0.1),
                "kernel_regularizer": keras.regularizers.L1L2(0.1, 0.2),
            },
            (2, 6, 5, 3),
        ),
    ],
)
def test_conv_norm_activation_contract(arguments, shape):
    run_layer_test(ConvNormActivation, arguments, (2, 6, 5, 3), shape)


def test_conv_norm_activation_arithmetic_against_numpy():
    """A symmetric, strided 3x3 convolution written out as loops, at inference."""
    layer = ConvNormActivation(4, 3, 2, padding="symmetric", use_bias=True, epsilon=1e-3)
    images = RANDOM.normal(size=(2, 5, 6, 3)).astype("float32")
    layer.build(images.shape)
    layer.set_weights([RANDOM.uniform(0.2, 1.0, weight.shape) for weight in layer.weights])
    kernel, bias, gamma, beta, mean, variance = layer.get_weights()

    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    expected = np.empty((2, 3, 3, 4))
    for row in range(3):
        for column in range(3):
            patch = padded[:, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
            expected[:, row, column] = np.einsum("bhwc,hwcf->bf", patch, kernel) + bias
    expected = np.maximum(gamma * (expected - mean) / np.sqrt(variance + 1e-3) + beta, 0)
    np.testing.assert_allclose(layer(images), expected, rtol=1e-4, atol=1e-5)


def test_a_normalised_convolution_has_no_bias_unless_asked():
    for batch_norm, use_bias, count in [(True, None, 5), (True, True, 6), (False, None, 2)]:
        layer = ConvNormActivation(2, batch_norm=batch_norm, use_bias=use_bias)
        layer.build((None, 4, 4, 3))
        assert len(layer.weights) == count


def test_shape_before_build_and_with_unknown_sizes():
    layer = ConvNormActivation(8, 7, 2, padding="symmetric")
    assert layer.compute_output_shape((None, 224, None, 3)) == (None, 112, None, 8)
    assert BasicBlock(8, 2).compute_output_shape((None, 7, None, 3)) == (None, 4, None, 8)


def test_unknown_padding_is_refused():
    with pytest.raises(ValueError, match="padding"):
        ConvNormActivation(2, padding="reflect")


def test_regularizer_reaches_every_kernel_of_a_block():
    block = BottleneckBlock(2, strides=2, kernel_regularizer="l2")
    block.build((None, 4, 4, 3))
    kernels = [w for w in block.trainable_weights if w.path.endswith("kernel")]
    assert len(kernels) == len(block.losses) == 4
    expected = sum(0.01 * float((w.numpy() ** 2).sum()) for w in kernels)
    assert float(sum(block.losses)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "block, arguments, shape",
    [
        (BasicBlock, {"filters": 4}, (2, 6, 6, 4)),
        (BasicBlock, {"filters": 6, "strides": 2, "drop_path": 0.3}, (2, 3, 3, 6)),
        (BottleneckBlock, {"filters": 1}, (2, 6, 6, 4)),
        (BottleneckBlock, {"filters": 2, "strides": 2, "use_bias": True}, (2, 3, 3, 8)),
        (BottleneckBlock, {"filters": 1, "strides": 2, "stride_in": "middle"}, (2, 3, 3, 4)),
    ],
)
def test_residual_block_contract(block, arguments, shape):
    images = 0.5 * RANDOM.normal(size=(2, 6, 6, 4)).astype("float32")
    run_layer_test(block, arguments, images, shape)


@pytest.mark.parametrize("block, filters", [(BasicBlock, 4), (BottleneckBlock, 1)])
def test_shortcut_is_the_identity_exactly_where_shapes_allow(block, filters):
    for strides, channels, projected in [(1, 4, False), (2, 4, True), (1, 5, True)]:
        layer = block(filters, strides)
        layer.build((None, 8, 8, channels))
        assert (layer.shortcut is not None) == projected


def test_dropped_branches_leave_relu_of_the_input():
    images = RANDOM.normal(size=(64, 2, 2, 4)).astype("float32")
    outputs = np.asarray(BasicBlock(4, drop_path=0.5)(images, training=True))
    dropped = (outputs == np.maximum(images, 0)).all(axis=(1, 2, 3))
    assert 0.2 < dropped.mean() < 0.8


def test_the_block_adds_branch_and_shortcut():
    block = BottleneckBlock(2, strides=2)
    images = RANDOM.normal(size=(2, 4, 4, 3)).astype("float32")
    outputs = block(images)
    branch = images
    for convolution in block.branch:
        branch = convolution(branch)
    expected = np.maximum(np.asarray(branch) + np.asarray(block.shortcut(images)), 0)
    np.testing.assert_allclose(outputs, expected, atol=1e-6)


@pytest.mark.parametrize(("height", "width", "strides"), [(1, 1, 2), (4, 1, 2), (3, 2, 3)])
def test_bfloat16_gradients_of_maps_smaller_than_the_stride(height, width, strides):
    """With implicit zeros they are any number, NaN among them."""
    inputs = np.random.default_rng(0).normal(size=(8, height, width, 16)).astype("float32")

    def gradients(dtype):
        keras.utils.set_random_seed(0)
        layer = ConvNormActivation(32, 3, strides, batch_norm=False, activation=None, dtype=dtype)
        layer.build((None, None, None, 16))  # As detectors, for images of any size.

        @tf.function(autograph=False)
        def compute(x):
            with tf.GradientTape() as tape:
                outputs = layer(x)
                loss = tf.reduce_sum(tf.square(tf.cast(outputs, tf.float32)))
            return outputs, tape.gradient(loss, layer.convolution.kernel.value)

        # What is wrong comes from memory that was used before.
        return [compute(inputs) for _ in range(5)]

    _, expected = gradients("float32")[0]
    for outputs, found in gradients("mixed_bfloat16"):
        assert outputs.dtype == tf.bfloat16
        np.testing.assert_allclose(found, expected, atol=0.02 * np.abs(expected).max())

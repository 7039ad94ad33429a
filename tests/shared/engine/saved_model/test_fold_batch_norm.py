"""Folded batch normalisation: the same outputs of every layer, of graphs and of whole networks."""

import keras
import numpy as np
import pytest

from shared.engine.saved_model.fold_batch_norm import fold_batch_norm
from shared.layers import (
    BasicBlock,
    BottleneckBlock,
    ConvNormActivation,
    CspBlock,
    PathAggregation,
    SpatialPyramidPooling,
)
from tests.shared.engine.saved_model.folding import check_same, outputs_of, with_random_statistics

LAYERS = keras.layers


def functional(*layers, shape=(8, 8, 6)):
    """A chain of layers, of inputs in 0..1."""
    x = inputs = keras.Input(shape)
    x = LAYERS.Rescaling(1 / 255)(x)
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x)


@pytest.mark.parametrize(
    "layer",
    [
        lambda: ConvNormActivation(5, activation="silu", epsilon=1e-3),
        lambda: ConvNormActivation(5, 5, 2, padding="symmetric", use_bias=True),
        lambda: ConvNormActivation(5, batch_norm=False),
        lambda: BasicBlock(6),
        lambda: BasicBlock(8, strides=2, use_bias=True, epsilon=1.001e-5),
        lambda: BottleneckBlock(4, strides=2, drop_path=0.5),
        lambda: CspBlock(16, num_blocks=2),
        lambda: CspBlock(16, shortcut=False, epsilon=1e-2, activation="relu"),
        lambda: SpatialPyramidPooling(16),
    ],
)
def test_layers_that_normalise_their_convolutions(layer):
    check_same(functional(layer()), (8, 8, 6))


def test_a_neck_of_several_maps():
    inputs = keras.Input((16, 16, 3))
    maps = [LAYERS.AveragePooling2D(2**level)(inputs) for level in range(3)]
    check_same(keras.Model(inputs, PathAggregation([16, 16, 32])(maps)), (16, 16, 3))


@pytest.mark.parametrize(
    "convolution",
    [
        lambda: LAYERS.Conv2D(5, 3),
        lambda: LAYERS.Conv2D(6, 3, groups=2, use_bias=False, strides=2),
        lambda: LAYERS.DepthwiseConv2D(3, depth_multiplier=2, padding="same"),
        lambda: LAYERS.DepthwiseConv2D(3, use_bias=False),
        lambda: LAYERS.SeparableConv2D(4, 3, depth_multiplier=2),
    ],
)
@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False, "epsilon": 0.1}])
def test_convolutions_of_a_graph(convolution, options):
    check_same(
        functional(convolution(), LAYERS.BatchNormalization(**options), LAYERS.ReLU()), (8, 8, 6)
    )


def test_normalisations_that_stay():
    """Behind an activation, another layer, and a convolution that something else uses."""
    inputs = keras.Input((8, 8, 3))
    x = LAYERS.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    x = LAYERS.BatchNormalization()(x)
    used_twice = LAYERS.Conv2D(4, 3, padding="same", name="used_twice")(x)
    y = LAYERS.Add()([LAYERS.BatchNormalization()(used_twice), used_twice])
    y = LAYERS.BatchNormalization()(y)
    shared = LAYERS.Conv2D(4, 3, padding="same")
    first, second = (LAYERS.BatchNormalization()(shared(x)) for x in (x, y))
    check_same(keras.Model(inputs, {"first": first, "second": second, "y": y}), (8, 8, 3), left=5)


def test_a_convolution_that_is_an_output_stays_as_it_is():
    inputs = keras.Input((8, 8, 3))
    features = LAYERS.Conv2D(4, 3)(inputs)
    outputs = [LAYERS.BatchNormalization()(features), features]
    check_same(keras.Model(inputs, outputs), (8, 8, 3), left=1)


def test_half_precision_is_folded_in_float32():
    """Before it is rounded; and the same network in full precision for other runtimes."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = functional(ConvNormActivation(8), LAYERS.Conv2D(4, 3), LAYERS.BatchNormalization())
        with_random_statistics(model)
        folded, full = fold_batch_norm(model), fold_batch_norm(model, dtype="float32")
    finally:
        keras.config.set_dtype_policy(policy)
    assert folded.compute_dtype == "bfloat16" and full.layers[-1].compute_dtype == "float32"
    for one, other in zip(folded.weights, full.weights, strict=True):
        assert one.dtype == "float32"
        np.testing.assert_array_equal(one, other)
    images = np.random.default_rng(1).uniform(0, 255, (1, 8, 8, 6)).astype("float32")
    (expected,), (half,), (exact,) = (outputs_of(m, images) for m in (model, folded, full))
    assert half.dtype == expected.dtype
    spread = np.abs(exact).max()
    np.testing.assert_allclose(half / spread, exact / spread, atol=2e-2)
    np.testing.assert_allclose(expected / spread, exact / spread, atol=2e-2)

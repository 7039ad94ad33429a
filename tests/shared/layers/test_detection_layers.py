"""CSP block, pyramids, path aggregation, padding to a grid: contract and definition."""

import keras
import numpy as np
import pytest

from shared.layers import (
    CspBlock,
    FeaturePyramid,
    PadToGrid,
    PathAggregation,
    SpatialPyramidPooling,
)
from shared.testing.layer_test import run_layer_test

RANDOM = np.random.default_rng(0)


def images(*shape):
    return RANDOM.normal(size=shape).astype("float32")


@pytest.mark.parametrize(
    "arguments",
    [
        {"filters": 8, "hidden_dim": 4},
        {"filters": 40, "num_blocks": 2, "shortcut": False},
        {
            "filters": 6,
            "num_blocks": 0,
            "activation": "relu",
            "momentum": 0.8,
            "epsilon": 1e-2,
            "synchronized": True,
            "kernel_regularizer": "l2",
        },
    ],
)
def test_csp_block_contract(arguments):
    run_layer_test(CspBlock, arguments, images(2, 4, 6, 8), (2, 4, 6, arguments["filters"]))


@pytest.mark.parametrize("shortcut", [True, False])
def test_csp_block_definition(shortcut):
    block = CspBlock(8, num_blocks=2, shortcut=shortcut, hidden_dim=5)
    x = images(2, 4, 4, 3)
    outputs = block(x)
    divided = block.divide(x)
    assert divided.shape[-1] == 10
    aside, first = np.asarray(divided[..., :5]), np.asarray(divided[..., 5:])
    second = np.asarray(block.second[0](block.first[0](first))) + shortcut * first
    third = np.asarray(block.second[1](block.first[1](second))) + shortcut * second
    joined = np.concatenate([aside, first, second, third], axis=-1)
    np.testing.assert_allclose(outputs, block.join(joined), rtol=1e-5, atol=1e-5)


def test_csp_block_is_never_narrower_than_is_safe():
    block = CspBlock(16, num_blocks=1)
    block.build((None, 4, 4, 16))
    assert block.first[0].filters == 16 and block.join.filters == 16


def test_spatial_pyramid_pooling_contract():
    arguments = {"filters": 8, "pool_size": 3, "num_pools": 2}
    run_layer_test(SpatialPyramidPooling, arguments, images(2, 5, 7, 4), (2, 5, 7, 8))


def test_spatial_pyramid_pooling_sees_windows_of_5_9_and_13():
    layer = SpatialPyramidPooling(64)
    x = images(1, 16, 20, 6)
    outputs = layer(x)
    reduced = np.asarray(layer.reduce(x))
    maps = [reduced]
    for side in (5, 9, 13):
        margin = side // 2
        around = [(0, 0), (margin, margin), (margin, margin), (0, 0)]
        padded = np.pad(reduced, around, constant_values=-np.inf)
        windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2))
        maps.append(windows.max(axis=(-2, -1)))
    expected = layer.mix(np.concatenate(maps, axis=-1))
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-5)


def test_path_aggregation_contract():
    shapes = [(2, 8, 4, 6), (2, 4, 2, 5), (2, 2, 1, 7)]
    run_layer_test(
        PathAggregation,
        {"filters": [16, 17, 18], "num_blocks": 1},
        [images(*shape) for shape in shapes],
        [(2, 8, 4, 16), (2, 4, 2, 17), (2, 2, 1, 18)],
    )


def test_path_aggregation_goes_down_and_up():
    neck = PathAggregation([16, 20, 24])
    fine, middle, coarse = images(1, 8, 8, 3), images(1, 4, 4, 4), images(1, 2, 2, 5)
    outputs = neck([fine, middle, coarse])

    def larger(x):
        return np.asarray(x).repeat(2, axis=1).repeat(2, axis=2)

    down_middle = neck.down_blocks[1](np.concatenate([larger(coarse), middle], axis=-1))
    down_fine = neck.down_blocks[0](np.concatenate([larger(down_middle), fine], axis=-1))
    up_middle = neck.up_blocks[0](
        np.concatenate([neck.reducers[0](down_fine), down_middle], axis=-1)
    )
    up_coarse = neck.up_blocks[1](np.concatenate([neck.reducers[1](up_middle), coarse], axis=-1))
    for actual, expected in zip(outputs, (down_fine, up_middle, up_coarse), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def test_path_aggregation_with_unknown_sizes():
    inputs = [keras.Input((None, None, channels)) for channels in (16, 16, 32)]
    model = keras.Model(inputs, PathAggregation([16, 16, 16])(inputs))
    assert [x.shape for x in model.outputs] == [(None, None, None, 16)] * 3
    outputs = model([images(1, 4, 8, 16), images(1, 2, 4, 16), images(1, 1, 2, 32)])
    assert [tuple(x.shape) for x in outputs] == [(1, 4, 8, 16), (1, 2, 4, 16), (1, 1, 2, 16)]


def test_pad_to_grid_contract():
    inputs = [images(2, 3, 5, 4), images(2, 32, 32, 3)]
    run_layer_test(PadToGrid, {"stride": 8}, inputs, (2, 4, 4, 4))


def test_pad_to_grid_keeps_the_middle():
    features = images(2, 3, 7, 4)
    outputs = np.asarray(PadToGrid(8)([features, images(2, 40, 40, 3)]))
    assert outputs.shape == (2, 5, 5, 4)
    np.testing.assert_array_equal(outputs[:, 1:4], features[:, :, 1:6])
    assert not outputs[:, 0].any() and not outputs[:, 4].any()


@pytest.mark.parametrize("extra_levels", [0, 2])
def test_feature_pyramid_contract(extra_levels):
    shapes = [(2, 8, 12, 6), (2, 4, 6, 5), (2, 2, 3, 7)]
    expected = [(2, 8, 12, 16), (2, 4, 6, 16), (2, 2, 3, 16), (2, 1, 2, 16), (2, 1, 1, 16)]
    run_layer_test(
        FeaturePyramid,
        {"filters": 16, "extra_levels": extra_levels},
        [images(*shape) for shape in shapes],
        expected[: 3 + extra_levels],
    )


def test_feature_pyramid_goes_down():
    pyramid = FeaturePyramid(16)
    fine, coarse = images(1, 8, 8, 3), images(1, 4, 4, 5)
    outputs = pyramid([fine, coarse])
    meaning = np.asarray(pyramid.lateral[1](coarse))
    joined = pyramid.lateral[0](fine) + meaning.repeat(2, axis=1).repeat(2, axis=2)
    expected = [pyramid.smooth[0](joined), pyramid.smooth[1](meaning)]
    expected.append(expected[1][:, ::2, ::2])
    for actual, wanted in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-5, atol=1e-5)
    assert pyramid.lateral[0].activation is pyramid.smooth[0].activation  # linear

"""Resizing against Pillow, and where letterbox and cover put a point."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from shared.image.resize import letterbox, resize, resize_to_cover

SIZES = [(20, 30), (64, 64), (200, 90), (1, 1), (7, 150)]


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def pillow_resize(image, size):
    resized = Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(resized).astype(np.float32)


@pytest.mark.parametrize("size", SIZES)
def test_resize_equals_pillow_in_floating_point(size):
    image = noise(75, 101)
    channels = [Image.fromarray(channel.astype(np.float32)) for channel in np.moveaxis(image, 2, 0)]
    bilinear = Image.Resampling.BILINEAR
    expected = [channel.resize((size[1], size[0]), bilinear) for channel in channels]
    resized = resize(image, size).numpy()
    assert resized.dtype == np.float32 and resized.shape == (*size, 3)
    assert np.abs(resized - np.stack(expected, axis=2).clip(0, 255)).max() <= 0.02


@pytest.mark.parametrize("size", SIZES)
def test_resize_equals_pillow_on_bytes(size):
    image = noise(75, 101)
    # Pillow rounds to whole levels twice: after each of its two passes.
    assert np.abs(resize(image, size) - pillow_resize(image, size)).max() <= 1.01


def test_one_number_is_a_square():
    image = noise(10, 90)
    np.testing.assert_array_equal(resize(image, 32), resize(image, (32, 32)))


@pytest.mark.parametrize("shape", [(375, 500), (500, 375), (40, 40), (61, 300)])
def test_cover_is_pillow_resize_then_centre_crop(shape):
    image = noise(*shape)
    height, width = shape
    factor = 64 / min(shape)
    scaled = (round(height * factor), round(width * factor))
    top, left = (scaled[0] - 56) // 2, (scaled[1] - 56) // 2
    expected = pillow_resize(image, scaled)[top : top + 56, left : left + 56]
    covered = resize_to_cover(image, 56, crop_ratio=0.875).numpy()
    assert np.abs(covered - expected).max() <= 1.01


def test_cover_of_an_oblong_frame():
    image = noise(50, 200)
    expected = pillow_resize(image, (40, 160))[:, 55:105]
    assert np.abs(resize_to_cover(image, (40, 50)).numpy() - expected).max() <= 1.01


@pytest.mark.parametrize("shape", [(375, 500), (500, 375), (33, 64), (200, 7)])
def test_letterbox_is_pillow_resize_then_padding(shape):
    image = noise(*shape)
    boxed, scale, offset = letterbox(image, 96, fill=114)
    factor = 96 / max(shape)
    scaled = tuple(max(1, round(side * factor)) for side in shape)
    expected = np.full((96, 96, 3), 114, np.float32)
    top, left = (96 - scaled[0]) // 2, (96 - scaled[1]) // 2
    expected[top : top + scaled[0], left : left + scaled[1]] = pillow_resize(image, scaled)
    assert np.abs(boxed - expected).max() <= 1.01
    np.testing.assert_allclose(offset, [top, left])
    np.testing.assert_allclose(scale, np.divide(scaled, shape), rtol=1e-6)


def test_letterbox_tells_where_a_point_went():
    image = np.zeros((120, 90, 3), np.uint8)
    image[30:60, 40:70] = 255  # a box with corners (30, 40) and (60, 70)
    boxed, scale, offset = letterbox(image, (64, 80), fill=0)
    rows, columns = np.nonzero(boxed.numpy()[..., 0] > 127)
    start = np.array([30, 40]) * scale.numpy() + offset.numpy()
    stop = np.array([60, 70]) * scale.numpy() + offset.numpy()
    np.testing.assert_allclose([rows.min(), columns.min()], start, atol=0.75)
    np.testing.assert_allclose([rows.max() + 1, columns.max() + 1], stop, atol=0.75)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (4000, 1), (2, 3)])
def test_extreme_shapes(shape):
    image = np.full((*shape, 3), 200, np.uint8)
    np.testing.assert_allclose(resize(image, 24), 200, atol=1e-2)
    np.testing.assert_allclose(resize_to_cover(image, 24, 0.875), 200, atol=1e-2)
    boxed, _, _ = letterbox(image, 24, fill=0)
    assert boxed.shape == (24, 24, 3)
    assert np.isclose(boxed, 200, atol=1e-2).any()


def test_static_shapes_are_known_in_a_graph():
    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)])
    def all_three(image):
        results = resize(image, (8, 9)), resize_to_cover(image, 8), letterbox(image, 8)[0]
        assert [tuple(result.shape) for result in results] == [(8, 9, 3), (8, 8, 3), (8, 8, 3)]
        return results

    all_three(noise(5, 6))

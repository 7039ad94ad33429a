"""RoIAlign against loops, against torchvision, and its gradient against finite differences."""

import math

import numpy as np
import pytest
import tensorflow as tf

from shared.layers import RoiAlign
from shared.testing.layer_test import run_layer_test

RANDOM = np.random.default_rng(0)
SHAPES = ((2, 12, 16, 3), (2, 6, 8, 3), (2, 3, 4, 3))


def pyramid(shapes=SHAPES):
    return [RANDOM.normal(size=shape).astype("float32") for shape in shapes]


def boxes_of_all_kinds():
    """Of every level; over every edge, far outside, without area, the whole image."""
    corners = np.sort(RANDOM.uniform(-0.1, 1.1, (2, 20, 2, 2)), axis=2)
    corners = corners.reshape(2, 20, 4)
    odd = [
        [0, 0, 1, 1], [0.5, 0.5, 0.5, 0.5], [0.2, 0.3, 0.2, 0.9], [-0.5, -0.5, 0.1, 0.2],
        [0.9, 0.8, 1.6, 1.7], [2, 2, 3, 3], [-3, 0, -2, 1], [0.3, 0.3, 0.304, 0.305],
    ]  # fmt: skip
    return np.concatenate([corners, np.stack([odd, odd])], axis=1).astype("float32")


def plain_sample(features, y, x):
    """Bilinear interpolation as in the code of Mask R-CNN."""
    height, width, channels = features.shape
    if y < -1 or y > height or x < -1 or x > width:
        return np.zeros(channels)
    y, x = min(max(y, 0.0), height - 1), min(max(x, 0.0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    down, along = y - top, x - left
    return (
        features[top, left] * (1 - down) * (1 - along)
        + features[top, right] * (1 - down) * along
        + features[bottom, left] * down * (1 - along)
        + features[bottom, right] * down * along
    )


def plain_roi_align(maps, boxes, side=7, samples=2):
    """(B, R, side, side, C), with loops over everything."""
    batch, count, _ = boxes.shape
    result = np.zeros((batch, count, side, side, maps[0].shape[-1]))
    for b, r in np.ndindex(batch, count):
        x1, y1, x2, y2 = boxes[b, r].astype("float64")
        area = max(x2 - x1, 0) * max(y2 - y1, 0)
        level = math.floor(4 + math.log2(math.sqrt(area) / 0.28)) if area else 3
        features = maps[min(max(level, 3), 5) - 3][b].astype("float64")
        height, width, _ = features.shape
        for p, q in np.ndindex(side, side):
            for s, t in np.ndindex(samples, samples):
                y = y1 + (p + (s + 0.5) / samples) * (y2 - y1) / side
                x = x1 + (q + (t + 0.5) / samples) * (x2 - x1) / side
                found = plain_sample(features, y * height - 0.5, x * width - 0.5)
                result[b, r, p, q] += found / samples**2
    return result


def test_contract():
    inputs = [*pyramid(), boxes_of_all_kinds()[:, ::7]]
    run_layer_test(RoiAlign, {"output_size": 3, "min_level": 2}, inputs, (2, 4, 3, 3, 3))


@pytest.mark.parametrize("side, samples", [(7, 2), (2, 3), (1, 1)])
def test_against_loops(side, samples):
    maps, boxes = pyramid(), boxes_of_all_kinds()
    found = RoiAlign(output_size=side, sampling_ratio=samples)([*maps, boxes])
    np.testing.assert_allclose(found, plain_roi_align(maps, boxes, side, samples), atol=1e-5)


def test_against_torchvision():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    operations = pytest.importorskip("torchvision.ops", reason="torchvision is not installed")
    (features,), boxes = pyramid(SHAPES[:1]), boxes_of_all_kinds()
    found = RoiAlign()([features, boxes])
    _, height, width, _ = features.shape
    expected = operations.roi_align(
        torch.tensor(features.transpose(0, 3, 1, 2)),
        [torch.tensor(rows * np.float32([width, height, width, height])) for rows in boxes],
        output_size=7, spatial_scale=1.0, sampling_ratio=2, aligned=True,
    )  # fmt: skip
    expected = expected.numpy().transpose(0, 2, 3, 1).reshape(found.shape)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_levels():
    """As the paper has it for images with a side of 800 and a smallest level of 2."""
    sides = np.float32([10, 55, 57, 111, 113, 223, 225, 447, 449, 800]) / 800
    boxes = tf.constant(np.stack([0 * sides, 0 * sides, sides, sides], axis=-1)[None])
    layer = RoiAlign(min_level=2)
    wanted = [2, 2, 2, 2, 3, 3, 4, 4, 5, 5]
    assert (np.asarray(layer.levels(boxes, 4))[0] + 2).tolist() == wanted
    # Exactly at a bound, and without area or inside out.
    exact = tf.constant([[[0.0, 0.0, 0.28, 0.28], [0.5, 0.5, 0.5, 0.9], [0.6, 0.6, 0.1, 0.1]]])
    assert np.asarray(layer.levels(exact, 4))[0].tolist() == [2, 0, 0]


def test_gradient_against_finite_differences():
    """By the features of every level; boxes are constants."""
    maps = [tf.Variable(x) for x in pyramid([(1, 6, 8, 2), (1, 3, 4, 2)])]
    boxes = tf.Variable(boxes_of_all_kinds()[:1])
    layer = RoiAlign(output_size=3)
    weights = RANDOM.normal(size=(1, boxes.shape[1], 3, 3, 2)).astype("float32")

    def value():
        return tf.reduce_sum(layer([*maps, boxes]) * weights)

    with tf.GradientTape() as tape:
        total = value()
    *gradients, of_boxes = tape.gradient(total, [*maps, boxes])
    assert of_boxes is None
    for variable, gradient in zip(maps, gradients, strict=True):
        for at in ((0, 0, 0, 0), (0, 1, 2, 1), (0, 2, 3, 0), (0, variable.shape[1] - 1, -1, 1)):
            step, old = 0.5, variable.numpy()  # Linear: a long step has the least rounding.
            values = []
            for sign in (1, -1):
                moved = old.copy()
                moved[at] += sign * step
                variable.assign(moved)
                values.append(float(value()))
            variable.assign(old)
            difference = (values[0] - values[1]) / (2 * step)
            assert difference == pytest.approx(float(gradient.numpy()[at]), abs=1e-4)


@pytest.mark.parametrize("dtype, tolerance", [("mixed_bfloat16", 0.03), ("mixed_float16", 0.004)])
def test_half_precisions_keep_the_positions_of_boxes(dtype, tolerance):
    """Waves of eight features tell where their samples were taken."""
    wave = np.abs(np.arange(160) % 8 - 4).astype("float32") / 4
    features = np.stack(np.meshgrid(wave, wave), axis=-1)[None]
    boxes = np.float32([[[0.901, 0.902, 0.909, 0.911], [0.822, 0.53, 0.842, 0.57]]])
    found = RoiAlign(dtype=dtype)([features, boxes])
    expected = RoiAlign()([features, boxes])
    assert found.dtype == dtype.removeprefix("mixed_")
    np.testing.assert_allclose(tf.cast(found, "float32"), expected, atol=tolerance, rtol=0)


def test_in_a_graph_of_unknown_sizes():
    maps, boxes = pyramid(), boxes_of_all_kinds()
    layer = RoiAlign()
    specs = [tf.TensorSpec((None, None, None, 3))] * 3 + [tf.TensorSpec((None, None, 4))]
    traced = tf.function(lambda *inputs: layer(list(inputs)), input_signature=specs)
    found = traced(*maps, boxes)
    np.testing.assert_allclose(found, layer([*maps, boxes]), atol=1e-6)
    assert traced(*(x[:, :, :, :] for x in maps), boxes[:, :0]).shape == (2, 0, 7, 7, 3)

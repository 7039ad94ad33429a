"""Offsets of boxes from anchors, number by number."""

import math

import numpy as np
import pytest

from apps.vision.detection.detectors.box_coding import decode_boxes, encode_boxes

RANDOM = np.random.default_rng(0)
SSD = (0.1, 0.1, 0.2, 0.2)


def random_boxes(*shape):
    corners = np.sort(RANDOM.uniform(-0.2, 1.2, (*shape, 2, 2)), axis=-2)
    return corners.reshape(*shape, 4).astype("float32")


def plain_offsets(box, anchor, variances):
    """One box in plain Python."""
    x, y, x_a, y_a = ((b[i] + b[i + 2]) / 2 for b in (box, anchor) for i in (0, 1))
    w, h, w_a, h_a = (b[i + 2] - b[i] for b in (box, anchor) for i in (0, 1))
    offsets = (x - x_a) / w_a, (y - y_a) / h_a, math.log(w / w_a), math.log(h / h_a)
    return [t / v for t, v in zip(offsets, variances, strict=True)]


def plain_box(offsets, anchor, variances):
    t_x, t_y, t_w, t_h = (t * v for t, v in zip(offsets, variances, strict=True))
    w_a, h_a = anchor[2] - anchor[0], anchor[3] - anchor[1]
    x, y = (anchor[0] + anchor[2]) / 2 + t_x * w_a, (anchor[1] + anchor[3]) / 2 + t_y * h_a
    w, h = w_a * min(math.exp(t_w), 62.5), h_a * min(math.exp(t_h), 62.5)
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]


@pytest.mark.parametrize("variances", [(1.0, 1.0, 1.0, 1.0), SSD, (0.3, 0.7, 1.5, 2.0)])
def test_offsets_against_plain_python(variances):
    boxes, anchors = random_boxes(3, 20), random_boxes(20)
    offsets = np.asarray(encode_boxes(boxes, anchors, variances))
    expected = [
        [plain_offsets(box, anchor, variances) for box, anchor in zip(row, anchors, strict=True)]
        for row in boxes.astype("float64")
    ]
    np.testing.assert_allclose(offsets, expected, rtol=1e-3, atol=1e-3)
    given = RANDOM.normal(0, 2, (3, 20, 4)).astype("float32")
    expected = [
        [plain_box(t, anchor, variances) for t, anchor in zip(row, anchors, strict=True)]
        for row in given.astype("float64")
    ]
    np.testing.assert_allclose(
        decode_boxes(given, anchors, variances), expected, rtol=1e-4, atol=1e-5
    )


def test_a_known_box():
    """A box twice as wide as its anchor and half a side to the right of it."""
    anchor, box = [0.2, 0.2, 0.4, 0.6], [0.2, 0.2, 0.6, 0.6]
    offsets = np.asarray(encode_boxes(box, anchor, SSD))
    np.testing.assert_allclose(offsets, [5.0, 0.0, math.log(2) / 0.2, 0.0], atol=1e-5)


def test_decoding_inverts_encoding():
    boxes, anchors = random_boxes(50), random_boxes(50)
    for variances in ((1.0, 1.0, 1.0, 1.0), SSD):
        back = decode_boxes(encode_boxes(boxes, anchors, variances), anchors, variances)
        sides = np.log((boxes[:, 2:] - boxes[:, :2]) / (anchors[:, 2:] - anchors[:, :2]))
        reached = (sides < math.log(62.5)).all(axis=1)
        assert reached.sum() > 40
        np.testing.assert_allclose(np.asarray(back)[reached], boxes[reached], atol=1e-4)


def test_extreme_offsets_and_boxes_without_area_are_finite():
    anchor = np.array([0.4, 0.4, 0.6, 0.6], "float32")
    decoded = np.asarray(decode_boxes(np.array([[0, 0, 1e6, 1e6], [0, 0, -1e6, -1e6]]), anchor))
    np.testing.assert_allclose(decoded[0], [-5.75, -5.75, 6.75, 6.75], rtol=1e-5)
    np.testing.assert_allclose(decoded[1], [0.5] * 4, rtol=1e-6)
    points = np.array([[0.5, 0.5, 0.5, 0.5], [0, 0, 0, 0], [0.2, 0.3, 0.2, 0.9]], "float32")
    assert np.isfinite(encode_boxes(points, anchor, SSD)).all()


def test_half_precision_is_decoded_in_float32():
    assert np.asarray(decode_boxes(np.zeros((2, 4), "float16"), random_boxes(2))).dtype == "float32"

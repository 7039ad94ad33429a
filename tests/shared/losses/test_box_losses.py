"""IoU, CIoU and the distribution focal loss against numpy and against counting pixels."""

import math

import numpy as np
import pytest
import tensorflow as tf

from shared.losses import (
    box_ciou,
    box_iou,
    distribution_focal_loss,
    pairwise_box_iou,
)

RANDOM = np.random.default_rng(0)


def random_boxes(count, side=20):
    corners = np.sort(RANDOM.integers(0, side, (count, 2, 2)), axis=1)
    return corners.reshape(count, 4).astype("float32")


def reference(box, other):
    """IoU and CIoU of two boxes, term by term as in the papers, in double precision."""
    x1, y1, x2, y2 = map(float, box)
    u1, v1, u2, v2 = map(float, other)
    intersection = max(0, min(x2, u2) - max(x1, u1)) * max(0, min(y2, v2) - max(y1, v1))
    union = (x2 - x1) * (y2 - y1) + (u2 - u1) * (v2 - v1) - intersection
    iou = intersection / union
    width, height = max(x2, u2) - min(x1, u1), max(y2, v2) - min(y1, v1)
    rho = math.dist(((x1 + x2) / 2, (y1 + y2) / 2), ((u1 + u2) / 2, (v1 + v2) / 2))
    angles = math.atan((u2 - u1) / (v2 - v1)) - math.atan((x2 - x1) / (y2 - y1))
    v = 4 / math.pi**2 * angles**2
    alpha = v / (1 - iou + v) if v else 0.0
    return iou, iou - rho**2 / (width**2 + height**2) - alpha * v


def test_against_the_papers():
    boxes, others = random_boxes(300), random_boxes(300)
    boxes[:, 2:] += 1
    others[:, 2:] += 1
    others[:20] = boxes[:20]
    expected = np.array([reference(*pair) for pair in zip(boxes, others, strict=True)])
    for unit in (1.0, 1 / 20, 16.0):
        actual = [f(boxes * unit, others * unit) for f in (box_iou, box_ciou)]
        np.testing.assert_allclose(np.stack(actual, axis=-1), expected, atol=2e-4)


def test_iou_counts_pixels():
    boxes, others = random_boxes(40), random_boxes(30)
    grid = np.arange(20) + 0.5

    def cells(box):
        in_x, in_y = (grid > box[0]) & (grid < box[2]), (grid > box[1]) & (grid < box[3])
        return in_y[:, None] & in_x[None]

    actual = np.asarray(pairwise_box_iou(boxes, others))
    assert actual.shape == (40, 30)
    for i, box in enumerate(boxes):
        for j, other in enumerate(others):
            union = (cells(box) | cells(other)).sum()
            expected = (cells(box) & cells(other)).sum() / max(union, 1)
            assert actual[i, j] == pytest.approx(expected, abs=1e-6)


def test_pairwise_broadcasts_over_batches():
    boxes, others = random_boxes(12).reshape(3, 4, 4), random_boxes(15).reshape(3, 5, 4)
    actual = pairwise_box_iou(boxes, others)
    for i in range(3):
        np.testing.assert_array_equal(actual[i], pairwise_box_iou(boxes[i], others[i]))


DEGENERATE = np.array(
    [[0, 0, 0, 0], [3, 3, 3, 3], [2, 2, 2, 9], [2, 2, 9, 2], [0, 0, 300, 300], [1, 1, 1, 1.0001]],
    "float32",
)


@pytest.mark.parametrize("function", [box_iou, box_ciou])
@pytest.mark.parametrize("unit", [1.0, 1 / 320])
def test_values_and_gradients_are_finite_for_boxes_without_area(function, unit):
    boxes = tf.constant(np.repeat(DEGENERATE, len(DEGENERATE), axis=0) * unit)
    others = tf.constant(np.tile(DEGENERATE, (len(DEGENERATE), 1)) * unit)
    with tf.GradientTape() as tape:
        tape.watch([boxes, others])
        values = function(boxes, others)
    assert np.isfinite(values).all()
    for gradient in tape.gradient(values, [boxes, others]):
        assert np.isfinite(gradient).all()


def test_ciou_gradient_treats_alpha_as_a_constant():
    """Against central differences of the same formula with alpha held."""
    box, other = np.array([1.0, 2.0, 6.0, 5.0]), np.array([2.0, 1.0, 5.0, 9.0])
    variable = tf.Variable(box, dtype=tf.float32)
    with tf.GradientTape() as tape:
        value = box_ciou(variable, tf.constant(other, tf.float32))
    iou, ciou = reference(box, other)
    assert float(value) == pytest.approx(ciou, abs=1e-5)

    def v(b):
        angle = math.atan((other[2] - other[0]) / (other[3] - other[1]))
        return 4 / math.pi**2 * (angle - math.atan((b[2] - b[0]) / (b[3] - b[1]))) ** 2

    alpha = v(box) / (1 - iou + v(box))

    def held(b):
        iou, ciou = reference(b, other)
        own = v(b) / (1 - iou + v(b))
        return ciou + own * v(b) - alpha * v(b)

    step = 1e-5 * np.eye(4)
    expected = [(held(box + d) - held(box - d)) / 2e-5 for d in step]
    np.testing.assert_allclose(tape.gradient(value, variable), expected, atol=1e-4)


def test_descending_on_ciou_brings_boxes_together():
    box = tf.Variable([0.1, 0.1, 0.2, 0.3])
    other = tf.constant([0.6, 0.5, 0.9, 0.7])

    @tf.function
    def descend(rate):
        with tf.GradientTape() as tape:
            loss = 1.0 - box_ciou(box, other)
        box.assign_sub(rate * tape.gradient(loss, box))

    for step in range(400):
        descend(tf.constant(0.01 if step < 300 else 0.001))
    assert float(box_iou(box, other)) > 0.85


def test_distribution_focal_loss_is_cross_entropy_with_the_two_neighbours():
    logits = RANDOM.normal(size=(50, 4, 16)).astype("float32")
    targets = RANDOM.uniform(0, 15, size=(50, 4)).astype("float32")
    targets[0] = [0.0, 3.0, 14.999, 15.0]
    actual = np.asarray(distribution_focal_loss(logits, targets))
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    for index in np.ndindex(50, 4):
        y, p = float(targets[index]), probabilities[index]
        left = min(int(y), 14)
        expected = -((left + 1 - y) * np.log(p[left]) + (y - left) * np.log(p[left + 1]))
        assert actual[index] == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_distribution_focal_loss_clips_targets_and_is_least_at_the_right_distribution():
    logits = RANDOM.normal(size=(1, 16)).astype("float32")
    inside = distribution_focal_loss(np.repeat(logits, 2, 0), np.array([0.0, 15.0], "float32"))
    outside = distribution_focal_loss(np.repeat(logits, 2, 0), np.array([-4.0, 99.0], "float32"))
    np.testing.assert_array_equal(inside, outside)
    best = np.full((1, 16), -50.0, "float32")
    best[0, 3:5] = np.log([0.7, 0.3])
    entropy = -(0.7 * math.log(0.7) + 0.3 * math.log(0.3))
    loss = float(distribution_focal_loss(best, np.array([3.3], "float32"))[0])
    assert loss == pytest.approx(entropy, abs=1e-5)

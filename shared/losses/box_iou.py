"""Overlap of boxes: IoU, and CIoU as a loss.

Boxes are (x1, y1, x2, y2) with x1 <= x2 and y1 <= y2, in any unit: pixels or shares of an image.
All functions broadcast as arithmetic does: (..., 4) with (..., 4) gives (...).
"""

import math

from keras import ops

EPSILON = 1e-7  # keeps quotients finite where boxes have no area


def box_iou(boxes, others):
    """Area of the intersection over area of the union.

    Args:
        boxes: float tensor (..., 4).
        others: float tensor (..., 4).

    Returns:
        Tensor (...) in 0..1; 0 where neither box has an area.
    """
    intersection, union = _intersection_and_union(boxes, others)
    return intersection / (union + EPSILON)


def pairwise_box_iou(boxes, others):
    """IoU of every box with every other.

    Args:
        boxes: float tensor (..., M, 4).
        others: float tensor (..., N, 4).

    Returns:
        Tensor (..., M, N).
    """
    return box_iou(boxes[..., :, None, :], others[..., None, :, :])


def box_ciou(boxes, others):
    """Complete IoU: less by the distance of the centres and by the difference of aspect ratios.

    `iou - distance**2 / diagonal**2 - alpha * v`, where the diagonal is that of the enclosing box,
    v compares the angles of the boxes' diagonals and alpha = v / (1 - iou + v) is a constant for
    the gradient, as in the paper.

    Args:
        boxes: float tensor (..., 4). Gradients flow into these and into the others.
        others: float tensor (..., 4).

    Returns:
        Tensor (...) in -2..1.

    Reference: [Zheng et al., 2020](https://arxiv.org/abs/1911.08287)
    """
    iou = box_iou(boxes, others)
    width, height = _enclosing_sides(boxes, others)
    diagonal = ops.square(width) + ops.square(height)
    twice_apart = boxes[..., :2] + boxes[..., 2:] - others[..., :2] - others[..., 2:]
    distance = ops.sum(ops.square(twice_apart), axis=-1) / 4.0
    shape = 4.0 / math.pi**2 * ops.square(_diagonal_angle(others) - _diagonal_angle(boxes))
    alpha = ops.stop_gradient(shape / (1.0 - iou + shape + EPSILON))
    return iou - distance / (diagonal + EPSILON) - alpha * shape


def _area(boxes):
    width, height = _sides(boxes)
    return width * height


def _sides(boxes):
    return boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1]


def _intersection_and_union(boxes, others):
    # Side by side: a stacked (..., 2) of differences would take three times as long.
    width = ops.minimum(boxes[..., 2], others[..., 2]) - ops.maximum(boxes[..., 0], others[..., 0])
    height = ops.minimum(boxes[..., 3], others[..., 3]) - ops.maximum(boxes[..., 1], others[..., 1])
    intersection = ops.relu(width) * ops.relu(height)
    return intersection, _area(boxes) + _area(others) - intersection


def _enclosing_sides(boxes, others):
    width = ops.maximum(boxes[..., 2], others[..., 2]) - ops.minimum(boxes[..., 0], others[..., 0])
    height = ops.maximum(boxes[..., 3], others[..., 3]) - ops.minimum(boxes[..., 1], others[..., 1])
    return width, height


def _diagonal_angle(boxes):
    width, height = _sides(boxes)
    # Not arctan2, whose gradient is NaN for a box that is a point.
    return ops.arctan(width / (height + EPSILON))

"""Task-aligned assignment: a box goes to the anchors that classify and localise it best."""

import math
from typing import NamedTuple

from keras import ops

from apps.vision.detection.detectors.gather import gather_rows
from shared.losses import pairwise_box_iou


class Assignment(NamedTuple):
    """Targets of every anchor.

    Attributes:
        boxes: float32 (B, N, 4). The box of the anchor; any box where it has none.
        labels: int32 (B, N). The class of that box.
        scores: float32 (B, N). The soft target of that class; 0 where the anchor has no box.
        indices: int32 (B, N). Number of the box in 0..M - 1, or -1 for none.
    """

    boxes: object
    labels: object
    scores: object
    indices: object


def assign(
    class_scores,
    predicted_boxes,
    points,
    boxes,
    labels,
    mask,
    *,
    top_k: int = 10,
    alpha: float = 0.5,
    beta: float = 6.0,
    min_side: float = 0.0,
) -> Assignment:
    """Task-aligned assignment; nothing of it is differentiated.

    The alignment of an anchor with a box is `score**alpha * iou**beta`: its score of the box's
    class and the IoU of its predicted box. Candidates are the anchors inside the box; the `top_k`
    best are taken, and what equals the last of them. An anchor taken by several boxes goes to the
    one that it overlaps most. The soft target is the alignment, scaled so that the best anchor of
    each box gets the box's best IoU.

    All coordinates are in the same unit, say pixels of the input.

    Args:
        class_scores: float tensor (B, N, C), probabilities.
        predicted_boxes: float tensor (B, N, 4), xyxy.
        points: float tensor (N, 2), x and y of the anchors.
        boxes: float tensor (B, M, 4), xyxy; the true boxes, padded to M >= 1.
        labels: int tensor (B, M), 0..C - 1; of any value where padded.
        mask: bool tensor (B, M). True for a real box, False for padding.
        top_k: int. Maximum number of anchors per box.
        alpha: float. Exponent of the score.
        beta: float. Exponent of the IoU.
        min_side: float. Sides of smaller boxes count as this long in the test which anchors are
            inside; with the finest stride, every box has at least one.

    Returns:
        Assignment.

    Reference: [Feng et al., 2021](https://arxiv.org/abs/2108.07755)
    """
    class_scores, predicted_boxes = (
        ops.stop_gradient(ops.cast(x, "float32")) for x in (class_scores, predicted_boxes)
    )
    boxes = ops.cast(boxes, "float32")
    labels = ops.where(mask, ops.cast(labels, "int32"), 0)

    # === Alignment, and the best anchors of each box ===
    iou = pairwise_box_iou(boxes, predicted_boxes)
    metric = _scores_of(labels, ops.power(class_scores, alpha)) * _power(iou, beta)
    inside = _inside(points, boxes, min_side) & mask[..., None]
    metric = ops.where(inside, metric, 0.0)
    taken = _top_k_mask(metric, top_k) & (metric > 0)

    # === One box for each anchor ===
    contested = ops.where(taken, iou, -1.0)
    winner = ops.cast(ops.argmax(contested, axis=1), "int32")
    has_box = ops.any(taken, axis=1)
    numbers = ops.arange(ops.shape(boxes)[1], dtype="int32")
    own = (winner[:, None, :] == numbers[:, None]) & has_box[:, None, :]

    # === Targets ===
    soft = _normalised(ops.where(own, metric, 0.0), ops.where(own, iou, 0.0))
    return Assignment(
        boxes=gather_rows(boxes, winner),
        labels=gather_rows(labels, winner),
        scores=ops.stop_gradient(ops.max(soft, axis=1)),
        indices=ops.where(has_box, winner, -1),
    )


def _power(x, exponent):
    """x**exponent; whole exponents by multiplication, several times faster on a CPU."""
    if not float(exponent).is_integer() or exponent < 1:
        return ops.power(x, exponent)
    return math.prod([x] * int(exponent))


def _scores_of(labels, class_scores):
    """(B, M, N): the score that every anchor gives to the class of every box."""
    return gather_rows(ops.transpose(class_scores, (0, 2, 1)), labels)


def _inside(points, boxes, min_side):
    """bool (B, M, N): is the point in the box, or in a square of `min_side` about its centre?"""
    centre = (boxes[..., :2] + boxes[..., 2:]) / 2.0
    reach = ops.maximum(boxes[..., 2:] - boxes[..., :2], min_side) / 2.0
    x = ops.abs(points[:, 0] - centre[..., 0:1]) <= reach[..., 0:1]
    y = ops.abs(points[:, 1] - centre[..., 1:2]) <= reach[..., 1:2]
    return x & y


def _top_k_mask(values, k):
    """bool: is the value at least as large as the k-th largest of its row?"""
    length = ops.shape(values)[-1]
    k = min(k, length) if isinstance(length, int) else ops.minimum(k, length)
    largest, _ = ops.top_k(values, k)
    return values >= largest[..., -1:]


def _normalised(metric, iou):
    """Scales each box's alignments so that the largest becomes its largest IoU."""
    largest = ops.max(metric, axis=-1, keepdims=True)
    best_iou = ops.max(iou, axis=-1, keepdims=True)
    return metric / ops.where(largest > 0, largest, 1.0) * best_iou

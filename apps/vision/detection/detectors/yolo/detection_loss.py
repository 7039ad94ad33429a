"""Loss of the anchor-free detector: CIoU, distribution focal loss and classification."""

from typing import NamedTuple

from keras import ops

from apps.vision.detection.config import LossConfig
from apps.vision.detection.detectors.yolo.anchor_points import (
    anchor_points,
    decode_boxes_pixels,
    encode_distances,
    image_scale,
    split_sides,
)
from apps.vision.detection.detectors.yolo.task_aligned_assigner import assign
from apps.vision.detection.features import STRIDES
from shared.losses import box_ciou, distribution_focal_loss


class LossSums(NamedTuple):
    """Weighted sums over all anchors of a batch.

    Attributes:
        terms: dict of float32 scalars, "box", "dfl", "class".
        target_scores: float32 (B,). Sum of the soft targets of each image.
    """

    terms: dict
    target_scores: object


def loss_sums(y, class_logits, box_logits, height, width, loss: LossConfig) -> LossSums:
    """Assigns and sums up the three terms.

    "box" is 1 - CIoU, "dfl" the distribution focal loss (mean of the four sides); both weigh every
    anchor by its soft target. "class" is the binary cross-entropy with the soft targets, summed
    over all anchors and classes.

    Args:
        y: dict of "boxes", float (B, M, 4), normalised xyxy; "labels", int (B, M); "mask",
            bool (B, M), True for a real box.
        class_logits: float32 tensor (B, N, C).
        box_logits: float32 tensor (B, N, 4 * REG_MAX).
        height: int or int scalar tensor. Of the images, in pixels.
        width: int or int scalar tensor.
        loss: weights of the terms and rules of the assignment.

    Returns:
        LossSums.
    """
    class_logits, box_logits = (ops.cast(x, "float32") for x in (class_logits, box_logits))
    points, strides = anchor_points(height, width)
    predicted = decode_boxes_pixels(box_logits, points, strides)

    # === Targets ===
    given = assign(
        ops.sigmoid(class_logits),
        predicted,
        points,
        ops.cast(y["boxes"], "float32") * image_scale(height, width),
        y["labels"],
        y["mask"],
        top_k=loss.top_k,
        alpha=loss.alpha,
        beta=loss.beta,
        min_side=float(STRIDES[0]),
    )
    distances = encode_distances(given.boxes, points, strides)
    soft_targets = ops.one_hot(given.labels, class_logits.shape[-1]) * given.scores[..., None]

    # === Terms ===
    box = (1.0 - box_ciou(predicted, given.boxes)) * given.scores
    dfl = ops.mean(distribution_focal_loss(split_sides(box_logits), distances), axis=-1)
    classes = _binary_cross_entropy(class_logits, soft_targets)
    terms = {
        "box": loss.box_weight * ops.sum(box),
        "dfl": loss.dfl_weight * ops.sum(dfl * given.scores),
        "class": loss.class_weight * ops.sum(classes),
    }
    return LossSums(terms, ops.sum(given.scores, axis=-1))


def _binary_cross_entropy(logits, targets):
    """Elementwise, from logits, finite for all of them."""
    return ops.relu(logits) - logits * targets + ops.log1p(ops.exp(-ops.abs(logits)))

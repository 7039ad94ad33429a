"""The multibox loss of SSD: softmax with hard negatives, and smooth L1 of the offsets."""

from keras import ops

from apps.vision.detection.detectors.box_coding import encode_boxes
from apps.vision.detection.detectors.gather import gather_rows
from apps.vision.detection.detectors.ssd.matching import matched_counts
from shared.losses import smooth_l1

BACKGROUND = 0  # the first of the C + 1 logits; class c has number c + 1


def multibox_sums(y, matched, default_boxes, class_logits, offsets, *, variances, negatives=3.0):
    """Sums over all default boxes of a batch of both parts of the loss.

    "class" is the cross-entropy of the matched default boxes and of the hardest negatives, "box"
    the smooth L1 loss of the offsets of the matched ones. To be divided by the number of those.

    Args:
        y: dict of "boxes", float (B, M, 4), normalised xyxy, and "labels", int (B, M).
        matched: int32 tensor (B, N), from `match`.
        default_boxes: float tensor (N, 4), normalised xyxy.
        class_logits: float tensor (B, N, C + 1), the background first.
        offsets: float tensor (B, N, 4), as `encode_boxes` gives them.
        variances: tuple of 4 floats, as for `encode_boxes`.
        negatives: float. Number of negatives for each matched default box.

    Returns:
        Dict of float32 scalars, "class" and "box".

    Reference: [Liu et al., 2015](https://arxiv.org/abs/1512.02325), equations 1 to 3
    """
    is_matched = matched >= 0
    numbers = ops.maximum(matched, 0)
    log_probabilities = ops.log_softmax(ops.cast(class_logits, "float32"), axis=-1)

    # === Classes ===
    labels = gather_rows(ops.cast(y["labels"], "int32"), numbers) + 1
    labels = ops.where(is_matched, labels, BACKGROUND)
    targets = ops.one_hot(labels, class_logits.shape[-1])
    cross_entropy = -ops.sum(targets * log_probabilities, axis=-1)
    chosen = is_matched | hard_negatives(-log_probabilities[..., BACKGROUND], matched, negatives)

    # === Offsets ===
    wanted = encode_boxes(gather_rows(y["boxes"], numbers), default_boxes, variances)
    errors = ops.sum(smooth_l1(ops.cast(offsets, "float32") - wanted), axis=-1)
    return {
        "class": ops.sum(ops.where(chosen, cross_entropy, 0.0)),
        "box": ops.sum(ops.where(is_matched, errors, 0.0)),
    }


def hard_negatives(background_loss, matched, negatives: float = 3.0):
    """The default boxes without a box that look least like background, image by image.

    Args:
        background_loss: float tensor (B, N). Cross-entropy of each default box if it were
            background, at least 0.
        matched: int32 tensor (B, N), from `match`.
        negatives: float. Number of negatives for each matched default box; an image without one
            has as many as if it had one. Among equal losses the first count.

    Returns:
        bool tensor (B, N).
    """
    is_matched = matched >= 0
    losses = ops.where(is_matched, -1.0, ops.stop_gradient(background_loss))
    ranks = ops.argsort(ops.argsort(-losses, axis=-1), axis=-1)
    counts = ops.floor(negatives * matched_counts(matched))
    return (ops.cast(ranks, "float32") < counts[:, None]) & ops.logical_not(is_matched)

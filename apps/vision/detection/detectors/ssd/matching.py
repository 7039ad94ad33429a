"""Matching of SSD: which default box is responsible for which true box."""

from keras import ops

from shared.losses import pairwise_box_iou


def match(boxes, mask, default_boxes, threshold: float = 0.5):
    """The box that each default box is matched with; nothing of it is differentiated.

    1. A default box is matched with the box that it overlaps most, if by more than the threshold.
    2. Before that, each box has the default box that overlaps it most, however little, so that no
       box is without one. Of several boxes with the same best default box, the one that overlaps
       it most has it.

    Among equals the first counts, the default boxes and the boxes in their order. A box that no
    default box overlaps (it has no area) is matched with none.

    Args:
        boxes: float tensor (B, M, 4), normalised xyxy; the true boxes, padded to M >= 1.
        mask: bool tensor (B, M). True for a real box, False for padding.
        default_boxes: float tensor (N, 4), normalised xyxy.
        threshold: float.

    Returns:
        int32 tensor (B, N): the number of the box in 0..M - 1, or -1 for background.

    Reference: [Liu et al., 2015](https://arxiv.org/abs/1512.02325), section 2.2
    """
    overlaps = pairwise_box_iou(ops.cast(boxes, "float32"), default_boxes)  # (B, M, N)
    overlaps = ops.where(mask[..., None], overlaps, 0.0)

    # === Every default box above the threshold ===
    matched = ops.where(
        ops.max(overlaps, axis=1) > threshold, ops.cast(ops.argmax(overlaps, axis=1), "int32"), -1
    )

    # === Each box's best default box ===
    best = ops.cast(ops.argmax(overlaps, axis=2), "int32")  # (B, M)
    numbers = ops.arange(ops.shape(overlaps)[2], dtype="int32")
    claimed = ops.where(best[..., None] == numbers, overlaps, 0.0)
    claimant = ops.cast(ops.argmax(claimed, axis=1), "int32")
    return ops.where(ops.max(claimed, axis=1) > 0, claimant, matched)


def matched_counts(matched):
    """The number of matched default boxes, where an image counts at least as one.

    The divisor of the loss, a sum over images. Where the paper lets an image without boxes teach
    nothing, here it teaches some background.

    Args:
        matched: int32 tensor (B, N), from `match`.

    Returns:
        float32 tensor (B,), at least 1.
    """
    return ops.maximum(ops.sum(ops.cast(matched >= 0, "float32"), axis=-1), 1.0)

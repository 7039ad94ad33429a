"""Matching of SSD: which default box is responsible for which true box."""

import tensorflow as tf

from shared.losses import pairwise_box_iou

# A small box lies inside several default boxes and overlaps all of them equally, but for rounding.
# Of these the one with the nearest centre should have it: a distance as long as the image counts
# as this much overlap.
OF_DISTANCE = 0.01


def match(boxes, mask, default_boxes, threshold: float = 0.5):
    """The box that each default box is matched with; nothing of it is differentiated.

    1. A default box is matched with the box that it overlaps most, if by more than the threshold.
    2. Before that, each box has the default box that overlaps it most, however little, so that no
       box is without one; of those that overlap it equally, the one with the nearest centre. Of
       several boxes with the same best default box, the one that overlaps it most has it.

    Among equals the first counts. A box that no default box overlaps (it has no area) is matched
    with none.

    Args:
        boxes: float tensor (B, M, 4), normalised xyxy; the true boxes, padded to M >= 1.
        mask: bool tensor (B, M). True for a real box, False for padding.
        default_boxes: float tensor (N, 4), normalised xyxy.
        threshold: float.

    Returns:
        int32 tensor (B, N): the number of the box in 0..M - 1, or -1 for background.

    Reference: [Liu et al., 2015](https://arxiv.org/abs/1512.02325), section 2.2
    """
    boxes = tf.cast(boxes, tf.float32)
    overlaps = pairwise_box_iou(boxes, default_boxes)  # (B, M, N)
    overlaps = tf.where(mask[..., tf.newaxis], overlaps, 0.0)

    # === Every default box above the threshold ===
    most = tf.reduce_max(overlaps, axis=1, keepdims=True)
    matched = tf.where(most[:, 0] > threshold, _first_where(overlaps == most), -1)

    # === Each box's best default box ===
    closeness = overlaps - OF_DISTANCE * _distances(boxes, default_boxes)
    best = tf.argmax(closeness, axis=2, output_type=tf.int32)  # (B, M)
    is_first = _is_first(best, tf.gather(overlaps, best, batch_dims=2))
    return _with_claims(matched, best, is_first)


def matched_counts(matched):
    """The number of matched default boxes, where an image counts at least as one.

    The divisor of the loss, a sum over images. Where the paper lets an image without boxes teach
    nothing, here it teaches some background.

    Args:
        matched: int32 tensor (B, N), from `match`.

    Returns:
        float32 tensor (B,), at least 1.
    """
    return tf.maximum(tf.reduce_sum(tf.cast(matched >= 0, tf.float32), axis=-1), 1.0)


def _first_where(is_largest):
    """int32 (B, N): the first of axis 1 where bool (B, M, N) is true.

    As `tf.argmax`, which is slow along any axis but the last.
    """
    count = tf.shape(is_largest)[1]
    return tf.reduce_min(tf.where(is_largest, tf.range(count)[:, tf.newaxis], count), axis=1)


def _distances(boxes, default_boxes):
    """(B, M, N): how far the centres are apart, from left to right plus from top to bottom."""
    x, y = tf.unstack((boxes[..., :2] + boxes[..., 2:]) / 2.0, axis=-1)
    u, v = tf.unstack((default_boxes[:, :2] + default_boxes[:, 2:]) / 2.0, axis=-1)
    return tf.abs(x[..., tf.newaxis] - u) + tf.abs(y[..., tf.newaxis] - v)


def _is_first(best, overlap):
    """bool (B, M): whether a box overlaps at all, and no other box with the same best more."""
    numbers = tf.range(tf.shape(best)[1])
    other, own = overlap[:, tf.newaxis, :], overlap[:, :, tf.newaxis]
    is_before = (other > own) | ((other == own) & (numbers < numbers[:, tf.newaxis]))
    is_rival = best[:, tf.newaxis, :] == best[:, :, tf.newaxis]
    return (overlap > 0) & ~tf.reduce_any(is_rival & is_before, axis=2)


def _with_claims(matched, best, is_first):
    """`matched` (B, N) with the number of each box that is first at its `best` (B, M)."""
    batch, count = tf.unstack(tf.shape(best))
    length, numbers = tf.shape(matched)[1], tf.range(count)
    # The other boxes write behind the end, to columns of their own: no element is written twice.
    columns = tf.where(is_first, best, length + numbers)
    rows = tf.broadcast_to(tf.range(batch)[:, tf.newaxis], (batch, count))
    written = tf.tensor_scatter_nd_update(
        tf.pad(matched, [[0, 0], [0, count]]),
        tf.stack([rows, columns], axis=-1),
        tf.broadcast_to(numbers, (batch, count)),
    )
    return written[:, :length]

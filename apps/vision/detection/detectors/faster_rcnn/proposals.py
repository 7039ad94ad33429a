"""From the outputs of the region proposal network to a fixed number of regions."""

from typing import NamedTuple

import tensorflow as tf

from apps.vision.detection.detectors.box_coding import decode_boxes

PROPOSAL_IOU = 0.7  # overlap above which the weaker of two proposals is dropped
SMALLEST_SIDE = 1e-3  # of an image; a proposal with a shorter one has nothing to look at


class Proposals(NamedTuple):
    """Regions of every image, best first.

    Attributes:
        boxes: float32 (B, P, 4), normalised xyxy, inside the image; zeros where there is none.
        mask: bool (B, P). True for a proposal.
    """

    boxes: tf.Tensor
    mask: tf.Tensor


def propose(objectness, offsets, anchors, *, candidates: int, count: int) -> Proposals:
    """The best boxes of all levels that do not overlap by more than 0.7; not differentiated.

    Args:
        objectness: float32 tensor (B, N), logits.
        offsets: float32 tensor (B, N, 4).
        anchors: float32 tensor (N, 4), normalised xyxy.
        candidates: int. Number of the best boxes that suppression begins with.
        count: int. P, the number of proposals of an image.

    Returns:
        Proposals.

    Reference: [Ren et al., 2015](https://arxiv.org/abs/1506.01497)
    """
    objectness, offsets = tf.stop_gradient(objectness), tf.stop_gradient(offsets)
    scores, best = tf.math.top_k(objectness, tf.minimum(candidates, tf.shape(objectness)[1]))
    boxes = decode_boxes(tf.gather(offsets, best, batch_dims=1), tf.gather(anchors, best))
    boxes = tf.clip_by_value(boxes, 0.0, 1.0)
    is_large = tf.reduce_all(boxes[..., 2:] - boxes[..., :2] >= SMALLEST_SIDE, axis=-1)
    return Proposals(*_suppress(boxes, tf.where(is_large, scores, scores.dtype.min), count))


def _suppress(boxes, scores, count):
    """The best `count` boxes of each image, and which of them there are.

    Image by image rather than by `tf.image.combined_non_max_suppression`, which has no kernel for
    a GPU.
    """

    def one_image(row):
        kept, number = tf.raw_ops.NonMaxSuppressionV4(
            boxes=row[0],
            scores=row[1],
            max_output_size=count,
            iou_threshold=PROPOSAL_IOU,
            score_threshold=scores.dtype.min,  # only scores above it
            pad_to_max_output_size=True,
        )
        is_kept = tf.range(count) < number
        return tf.where(is_kept[:, tf.newaxis], tf.gather(row[0], kept), 0.0), is_kept

    signature = tf.TensorSpec((count, 4), tf.float32), tf.TensorSpec((count,), tf.bool)
    return tf.map_fn(one_image, (boxes, scores), fn_output_signature=signature)

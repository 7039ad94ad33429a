"""The regions that the second stage learns from, and their targets."""

from typing import NamedTuple

import tensorflow as tf

from apps.vision.detection.detectors.faster_rcnn.balanced_sample import balanced_sample
from apps.vision.detection.detectors.faster_rcnn.proposals import Proposals
from shared.losses import pairwise_box_iou

BACKGROUND = 0  # the first of the C + 1 logits; class c has number c + 1
POSITIVE = 0.5  # overlap with a box from which a region has its object
POSITIVE_SHARE = 4  # at most one region in four has an object


class SampledRegions(NamedTuple):
    """The sampled regions of every image, those with an object first.

    Attributes:
        boxes: float32 (B, K, 4), normalised xyxy.
        labels: int32 (B, K). 0 for background, or one more than the class of the object.
        true_boxes: float32 (B, K, 4). The box of that object; any box where there is none.
        is_sampled: bool (B, K). False where there were not enough regions.
        is_object: bool (B, K). Whether there is an object.
    """

    boxes: tf.Tensor
    labels: tf.Tensor
    true_boxes: tf.Tensor
    is_sampled: tf.Tensor
    is_object: tf.Tensor


def sample_regions(proposals: Proposals, y: dict, draws, samples: int) -> SampledRegions:
    """Samples proposals and the true boxes, at most a quarter of them with an object.

    The true boxes are there so that also a network that proposes nothing of use has objects to
    learn from.

    Args:
        proposals: of the first stage.
        y: dict of "boxes", float (B, M, 4), normalised xyxy; "labels", int (B, M); "mask", bool
            (B, M), True for a real box. M >= 1.
        draws: float32 tensor (B, P + M) in 0..1, for the proposals and then for the boxes.
        samples: int. K, the number of regions of an image.

    Returns:
        SampledRegions.

    References: [Girshick, 2015](https://arxiv.org/abs/1504.08083); the true boxes as in the code
    of [Ren et al., 2015](https://arxiv.org/abs/1506.01497).
    """
    true_boxes, mask = tf.cast(y["boxes"], tf.float32), y["mask"]
    has_area = tf.reduce_all(true_boxes[..., 2:] > true_boxes[..., :2], axis=-1)
    boxes = tf.concat([proposals.boxes, true_boxes], axis=1)
    is_region = tf.concat([proposals.mask, mask & has_area], axis=1)

    iou = tf.where(mask[:, tf.newaxis], pairwise_box_iou(boxes, true_boxes), 0.0)
    is_object = is_region & (tf.reduce_max(iou, axis=-1) >= POSITIVE)
    own = tf.argmax(iou, axis=-1, output_type=tf.int32)

    indices, is_sampled = balanced_sample(
        is_object, is_region & ~is_object, draws, samples, samples // POSITIVE_SHARE
    )
    boxes, is_object, own = (tf.gather(x, indices, batch_dims=1) for x in (boxes, is_object, own))
    is_object = is_object & is_sampled
    labels = tf.gather(tf.cast(y["labels"], tf.int32), own, batch_dims=1)
    return SampledRegions(
        tf.stop_gradient(boxes),
        tf.where(is_object, labels + 1, BACKGROUND),
        tf.gather(true_boxes, own, batch_dims=1),
        is_sampled,
        is_object,
    )

"""The region proposal network: which anchors have an object, and where its box is."""

from typing import NamedTuple

import keras
import tensorflow as tf

from apps.vision.detection.detectors.box_coding import encode_boxes
from apps.vision.detection.detectors.faster_rcnn.anchors import RATIOS
from apps.vision.detection.detectors.faster_rcnn.balanced_sample import balanced_sample
from shared.layers import ConvNormActivation
from shared.losses import pairwise_box_iou, smooth_l1

POSITIVE, NEGATIVE = 0.7, 0.3  # overlaps from which, and below which, an anchor is one
BETA = 1 / 9  # where the loss of an offset turns from quadratic to linear


class AnchorTargets(NamedTuple):
    """Targets of the anchors.

    Attributes:
        is_object: bool (B, N). Whether it has an object.
        is_background: bool (B, N). Whether it has none; some anchors are neither.
        boxes: float32 (B, N, 4). The box that it overlaps most.
    """

    is_object: tf.Tensor
    is_background: tf.Tensor
    boxes: tf.Tensor


def proposal_head(maps, filters: int, kernel_regularizer=None):
    """The same convolution and the same two dense layers at every feature of every level.

    Args:
        maps: list of symbolic tensors (B, H_k, W_k, C).
        filters: int. Width of the convolution.
        kernel_regularizer: str, `keras.regularizers.Regularizer` or None.

    Returns:
        objectness, float32 (B, N), logits; offsets, float32 (B, N, 4). The order of the N anchors
        is that of `anchor_boxes`.
    """
    # Not normalised: the statistics would be those of all levels, or of one each.
    convolution = ConvNormActivation(
        filters,
        3,
        batch_norm=False,
        kernel_regularizer=kernel_regularizer,
        name="proposal_convolution",
    )
    logits = {}
    for name, size in (("objectness", 1), ("offsets", 4)):
        # Not a 1x1 convolution, which is not safe when narrow (shared.layers.convolution_block).
        logits[name] = keras.layers.Dense(
            len(RATIOS) * size,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
            kernel_regularizer=kernel_regularizer,
            dtype="float32",
            name=f"proposal_{name}",
        )
    objectness, offsets = [], []
    for number, features in enumerate(maps):
        x = convolution(features)
        x = keras.layers.Reshape((-1, filters), name=f"proposal_flat_{number}")(x)
        for parts, name, shape in (
            (objectness, "objectness", (-1,)),
            (offsets, "offsets", (-1, 4)),
        ):
            reshape = keras.layers.Reshape(shape, dtype="float32", name=f"{name}_{number}")
            parts.append(reshape(logits[name](x)))
    return (
        keras.layers.Concatenate(axis=1, dtype="float32", name="objectness")(objectness),
        keras.layers.Concatenate(axis=1, dtype="float32", name="offsets")(offsets),
    )


def anchor_targets(anchors, boxes, mask) -> AnchorTargets:
    """Labels anchors: an object from an IoU of 0.7 or as the best of a box, none below 0.3.

    Args:
        anchors: float32 tensor (N, 4), normalised xyxy.
        boxes: float32 tensor (B, M, 4), normalised xyxy; M >= 1.
        mask: bool tensor (B, M). True for a real box.

    Returns:
        AnchorTargets.
    """
    iou = tf.where(mask[:, tf.newaxis], pairwise_box_iou(anchors, boxes), 0.0)
    overlap = tf.reduce_max(iou, axis=-1)
    best_of_box = tf.reduce_max(iou, axis=1, keepdims=True)
    # Several anchors may overlap a box equally.
    is_best = tf.reduce_any((iou == best_of_box) & (iou > 0.0), axis=-1)
    is_object = (overlap >= POSITIVE) | is_best
    own = tf.argmax(iou, axis=-1, output_type=tf.int32)
    return AnchorTargets(
        is_object, ~is_object & (overlap < NEGATIVE), tf.gather(boxes, own, batch_dims=1)
    )


def proposal_loss(objectness, offsets, anchors, targets: AnchorTargets, draws, samples: int):
    """Mean over the images of the two terms of a sample of anchors, half of them objects at most.

    Args:
        objectness: float32 tensor (B, N), logits.
        offsets: float32 tensor (B, N, 4).
        anchors: float32 tensor (N, 4), normalised xyxy.
        targets: of the anchors.
        draws: float32 tensor (B, N) in 0..1, which choose the sample.
        samples: int. Number of sampled anchors of an image.

    Returns:
        Dict of float32 scalars: "objectness", binary cross-entropy; "proposal_box", smooth L1 of
        the offsets of objects. Both are divided by the number of anchors sampled.

    Reference: [Ren et al., 2015](https://arxiv.org/abs/1506.01497)
    """
    indices, is_sampled = balanced_sample(
        targets.is_object, targets.is_background, draws, samples, samples // 2
    )
    objectness, offsets, is_object, boxes = (
        tf.gather(x, indices, batch_dims=1)
        for x in (objectness, offsets, targets.is_object, targets.boxes)
    )
    wanted = encode_boxes(boxes, tf.gather(anchors, indices))
    classes = tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(is_object, tf.float32), objectness)
    distances = tf.reduce_sum(smooth_l1(offsets - wanted, BETA), axis=-1)
    return {
        "objectness": sample_mean(classes, is_sampled, is_sampled),
        "proposal_box": sample_mean(distances, is_sampled & is_object, is_sampled),
    }


def sample_mean(values, is_counted, is_sampled):
    """Sums of the counted values over the sizes of the samples, averaged over the images.

    Args:
        values: float32 tensor (B, K).
        is_counted: bool tensor (B, K).
        is_sampled: bool tensor (B, K). Which places of a sample are filled.
    """
    sums = tf.reduce_sum(tf.where(is_counted, values, 0.0), axis=-1)
    sizes = tf.reduce_sum(tf.cast(is_sampled, tf.float32), axis=-1)
    return tf.reduce_mean(sums / tf.maximum(sizes, 1.0))

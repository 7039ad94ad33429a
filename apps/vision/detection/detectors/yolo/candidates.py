"""From logits at anchor points to the boxes and scores that are worth suppressing."""

import tensorflow as tf

from apps.vision.detection.detectors.nms import CANDIDATES, best_candidates
from apps.vision.detection.detectors.yolo.anchor_points import anchor_points, decode_boxes


def decode_candidates(class_logits, box_logits, height, width, count=CANDIDATES):
    """Boxes and scores of the anchors with the best scores.

    Args:
        class_logits: float tensor (B, N, C).
        box_logits: float tensor (B, N, 4 * REG_MAX).
        height: int or int scalar tensor. Of the images, in pixels.
        width: int or int scalar tensor.
        count: int. Maximum number of anchors of one image.

    Returns:
        Boxes, float32 (B, K, 4), normalised xyxy, not clipped to the image, and scores, float32
        (B, K, C), as `Detector.candidates` gives them.
    """
    class_logits, box_logits = (tf.cast(x, tf.float32) for x in (class_logits, box_logits))
    points, strides = anchor_points(height, width)
    kept = best_candidates(tf.reduce_max(class_logits, axis=-1), count)
    class_logits, box_logits = (
        tf.gather(x, kept, batch_dims=1) for x in (class_logits, box_logits)
    )
    points, strides = tf.gather(points, kept), tf.gather(strides, kept)
    boxes = decode_boxes(box_logits, points, strides, height, width)
    return boxes, tf.sigmoid(class_logits)

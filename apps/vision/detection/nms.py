"""From logits to detections: decoding and non-maximum suppression, in the graph."""

import tensorflow as tf

from apps.vision.detection.anchor_points import anchor_points, decode_boxes

CANDIDATES = 1000  # anchors of an image that go on to decoding and suppression


def detect(
    class_logits,
    box_logits,
    height,
    width,
    *,
    confidence=0.25,
    iou=0.7,
    max_detections=300,
    candidates=CANDIDATES,
):
    """Boxes, classes and scores of a batch of images.

    Each class is suppressed by itself: of two boxes of one class that overlap by more than `iou`,
    the better one stays. An anchor may give a box in each of several classes. Only the
    `candidates` anchors with the best scores are decoded.

    Runs eagerly and in a graph on every device, though the suppression itself on the CPU; does
    not compile under XLA.

    Args:
        class_logits: float tensor (B, N, C).
        box_logits: float tensor (B, N, 4 * REG_MAX).
        height: int or int scalar tensor. Of the images, in pixels.
        width: int or int scalar tensor.
        confidence: float or float scalar tensor. Only scores above it count.
        iou: float or float scalar tensor, 0..1.
        max_detections: int. M, the maximum number of boxes of one image.
        candidates: int. Maximum number of anchors of one image that are considered.

    Returns:
        Dict of "boxes", float32 (B, M, 4), normalised xyxy, not clipped to the image; "scores",
        float32 (B, M), best first; "classes", int32 (B, M); "count", int32 (B,). Rows after
        the first `count` of an image are 0.
    """
    class_logits, box_logits = (tf.cast(x, tf.float32) for x in (class_logits, box_logits))
    points, strides = anchor_points(height, width)

    # === The promising anchors ===
    best = tf.reduce_max(class_logits, axis=-1)
    kept = tf.math.top_k(best, tf.minimum(candidates, tf.shape(best)[1])).indices
    class_logits, box_logits = (
        tf.gather(x, kept, batch_dims=1) for x in (class_logits, box_logits)
    )
    points, strides = tf.gather(points, kept), tf.gather(strides, kept)
    boxes = decode_boxes(box_logits, points, strides, height, width)

    return suppress(boxes, tf.sigmoid(class_logits), confidence, iou, max_detections)


def suppress(boxes, scores, confidence, iou, max_detections):
    """Greedy non-maximum suppression, class by class.

    Args:
        boxes: float32 tensor (B, N, 4), xyxy.
        scores: float32 tensor (B, N, C).
        confidence: float or float scalar tensor. Only scores above it count.
        iou: float or float scalar tensor, 0..1. Overlap above which the weaker box is dropped.
        max_detections: int. Maximum number of boxes of one image.

    Returns:
        Dict as in `detect`.
    """
    found = tf.image.combined_non_max_suppression(
        boxes[:, :, tf.newaxis],  # The order of x and y does not matter to overlaps.
        scores,
        max_output_size_per_class=max_detections,
        max_total_size=max_detections,
        iou_threshold=iou,
        score_threshold=confidence,
        clip_boxes=False,
    )
    return {
        "boxes": found.nmsed_boxes,
        "scores": found.nmsed_scores,
        "classes": tf.cast(found.nmsed_classes, tf.int32),
        "count": found.valid_detections,
    }

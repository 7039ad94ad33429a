"""A picture to over-fit detectors on, and the over-fit."""

import keras
import numpy as np
import tensorflow as tf

from shared.common.config import OptimizationConfig
from shared.engine.training.train_step import build_train_step, prepare_optimizer
from shared.losses import box_iou

SIDE, STEPS = 128, 400


def draw_scene(side):
    """Three coloured shapes on noise: (image, boxes_pixels, labels)."""
    random = np.random.default_rng(5)
    image = random.normal(110, 15, (side, side, 3))
    boxes = np.array([[8, 10, 40, 50], [60, 20, 118, 58], [30, 70, 90, 122]], "float32")
    for (x1, y1, x2, y2), colour in zip(
        boxes.astype(int), ([230, 40, 40], [40, 220, 60], [50, 60, 240]), strict=True
    ):
        image[y1:y2, x1:x2] = colour
    return image.clip(0, 255).astype("float32"), boxes, np.array([0, 1, 0], "int32")


def mirrored(boxes, side):
    return np.stack([side - boxes[:, 2], boxes[:, 1], side - boxes[:, 0], boxes[:, 3]], axis=-1)


def check_overfit(detector, *, shrinks, confidence, iou, rate=3e-3, draws=dict):
    """Trains on a scene and its mirror image until the boxes of both are found.

    Args:
        detector: with two classes, for images of `SIDE`.
        shrinks: the part of the first loss that the last one stays below, as a divisor.
        confidence, iou: thresholds of the detections.
        rate: learning rate of Adam.
        draws: function without arguments to further targets of each step.
    """
    image, boxes, labels = draw_scene(SIDE)
    both = boxes, mirrored(boxes, SIDE)
    images = tf.constant(np.stack([image, image[:, ::-1]]))
    y = {
        "boxes": tf.constant(np.stack(both) / SIDE),
        "labels": tf.constant(np.stack([labels, labels])),
        "mask": tf.ones((2, 3), "bool"),
    }
    detector.compile(keras.optimizers.Adam(rate))
    prepare_optimizer(detector)
    step = build_train_step(detector, tf.distribute.get_strategy(), OptimizationConfig())
    losses = []
    for _ in range(STEPS):
        total, weight = step((images, y | draws()))["loss"]
        losses.append(float(total / weight))
    print("losses", [round(x, 3) for x in losses[::50]], round(losses[-1], 3))
    assert np.isfinite(losses).all() and losses[-1] < losses[0] / shrinks

    outputs = detector(images, training=False)
    found = detector.detections(outputs, SIDE, SIDE, confidence, iou, 300)
    for i, wanted in enumerate(both):
        assert int(found["count"][i]) == 3
        for box, label in zip(wanted, labels, strict=True):
            overlaps = np.asarray(box_iou(found["boxes"][i, :3] * SIDE, box))
            assert overlaps.max() > 0.8
            assert int(found["classes"][i, overlaps.argmax()]) == label

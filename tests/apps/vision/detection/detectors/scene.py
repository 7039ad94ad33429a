"""A picture to over-fit detectors on."""

import numpy as np


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

"""Boxes of an image to the letterboxed square that it is fitted into, and back."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from apps.vision.detection.annotations.image_boxes import ImageBoxes
from shared.image.resize import letterbox_geometry


def to_original(boxes, height, width, size):
    """Maps boxes from the square to the original images and clips them.

    The one way back for evaluation, serving and prediction: `shared.image.resize.letterbox`
    enlarges small images too, so the square is always filled along one side.

    Args:
        boxes: float tensor (B, M, 4), normalised xyxy of the square.
        height: int or float tensor (B,). Of the original upright images, in pixels.
        width: int or float tensor (B,).
        size: int. Side of the square, in pixels.

    Returns:
        float32 tensor (B, M, 4), normalised xyxy of the originals, inside 0..1. Boxes of zeros,
        which fill up short lists, stay zeros.
    """
    scaled, before = letterbox_geometry(height, width, size)
    scaled, before = (_corners(sides) for sides in (scaled, before))
    # Half a pixel of rounding in `scaled` is part of the picture: no detour over the one scale
    # that both sides should have had.
    inside = (tf.cast(boxes, tf.float32) * float(size) - before) / scaled
    return tf.clip_by_value(inside, 0.0, 1.0)


def to_square(boxes, height, width, size):
    """Maps boxes of the original images to the square.

    Args:
        boxes: float tensor (B, M, 4), normalised xyxy of the originals.
        height: int or float tensor (B,). Of the original upright images, in pixels.
        width: int or float tensor (B,).
        size: int. Side of the square, in pixels.

    Returns:
        float32 tensor (B, M, 4), normalised xyxy of the square.
    """
    scaled, before = letterbox_geometry(height, width, size)
    scaled, before = (_corners(sides) for sides in (scaled, before))
    return (tf.cast(boxes, tf.float32) * scaled + before) / float(size)


def boxes_in_square(images: Sequence[ImageBoxes], size: int) -> np.ndarray:
    """The boxes of images without regions of a crowd, one image after the other.

    Args:
        images: at least one.
        size: int. Side of the square, in pixels.

    Returns:
        float32 (n, 4), normalised xyxy of the square.
    """
    boxes = [image.boxes[~image.crowd] for image in images]
    counts = [len(each) for each in boxes]
    heights, widths = (
        np.repeat([getattr(image, side) for image in images], counts)
        for side in ("height", "width")
    )
    return to_square(np.concatenate(boxes)[:, None], heights, widths, size)[:, 0].numpy()


def _corners(sides):
    """(B, 2), y and x, to float32 (B, 1, 4): x, y, x, y."""
    sides = tf.cast(tf.gather(sides, [1, 0, 1, 0], axis=-1), tf.float32)
    return sides[:, tf.newaxis]

"""Canvases: one image on its own, or four put together, with their boxes in pixels."""

from typing import NamedTuple

import tensorflow as tf

from shared.image.augment import uniform

FILL = 114  # the grey of what no image covers


class Picture(NamedTuple):
    """An image and its objects.

    Attributes:
        image: uint8 tensor (H, W, 3).
        boxes: float32 tensor (n, 4), xyxy in pixels of the image.
        labels: int32 tensor (n,).
    """

    image: tf.Tensor
    boxes: tf.Tensor
    labels: tf.Tensor


def square(picture: Picture, side: int) -> Picture:
    """Centres a picture, at most `side` pixels wide and high, on a square as `letterbox` does."""
    before = (side - tf.shape(picture.image)[:2]) // 2
    image = _on_canvas(picture.image, before, (side, side))
    return picture._replace(image=image, boxes=_shifted(picture.boxes, before))


def mosaic(pictures: list[Picture], seed: tf.Tensor, side: int) -> Picture:
    """Puts four pictures around a random point of a canvas of twice the side.

    Each touches the point with a corner; what reaches over the canvas is cut off, with its boxes.

    Args:
        pictures: four, each at most `side` pixels wide and high.
        seed: int32 tensor (2,).
        side: int. Of the network's input, in pixels.

    Returns:
        Picture of (2 * side, 2 * side) pixels; boxes may reach over its edges.

    Reference: [Bochkovskiy et al., 2020](https://arxiv.org/abs/2004.10934)
    """
    share = 0.5 + tf.random.stateless_uniform((2,), seed)
    centre = tf.cast(tf.round(share * side), tf.int32)
    # Whether each lies (below, right of) the point.
    quadrants = [(False, False), (False, True), (True, False), (True, True)]
    images, boxes = [], []
    for picture, after in zip(pictures, quadrants, strict=True):
        size = tf.where(after, 2 * side - centre, centre)
        # Measured from the quadrant's own upper left corner; negative where the image is cut.
        start = tf.where(after, 0, size - tf.shape(picture.image)[:2])
        images.append(_on_canvas(picture.image, start, size))
        corner = tf.where(after, centre, 0)
        boxes.append(_shifted(picture.boxes, start + corner))
    rows = [tf.concat(images[:2], axis=1), tf.concat(images[2:], axis=1)]
    canvas = tf.ensure_shape(tf.concat(rows, axis=0), (2 * side, 2 * side, 3))
    labels = tf.concat([picture.labels for picture in pictures], axis=0)
    return Picture(canvas, tf.concat(boxes, axis=0), labels)


def mixup(first: Picture, second: Picture, weight: tf.Tensor) -> Picture:
    """Blends two pictures of one size; the objects of both stay, as whole objects.

    Args:
        first, second: Pictures of equal size.
        weight: float32 scalar tensor, 0..1. The first one's share.

    References: [Zhang et al., 2017](https://arxiv.org/abs/1710.09412), for detection
    [Zhang et al., 2019](https://arxiv.org/abs/1902.04103)
    """
    images = [tf.cast(picture.image, tf.float32) for picture in (first, second)]
    blended = weight * images[0] + (1.0 - weight) * images[1]
    return Picture(
        tf.cast(tf.round(blended), tf.uint8),
        tf.concat([first.boxes, second.boxes], axis=0),
        tf.concat([first.labels, second.labels], axis=0),
    )


def chance(seed: tf.Tensor, probability: float) -> tf.Tensor:
    """Whether something of a probability happens: bool scalar tensor."""
    return uniform(seed) < probability


def _on_canvas(image, start, size):
    """The image on grey of `size`, its corner at `start` (row, column; may be negative)."""
    shape = tf.shape(image)[:2]
    cut_before = tf.maximum(-start, 0)
    cut_after = tf.minimum(shape, size - start)
    part = image[cut_before[0] : cut_after[0], cut_before[1] : cut_after[1]]
    before = tf.maximum(start, 0)
    after = size - before - tf.shape(part)[:2]
    paddings = tf.concat([tf.stack([before, after], axis=1), [[0, 0]]], axis=0)
    return tf.pad(part, paddings, constant_values=tf.constant(FILL, image.dtype))


def _shifted(boxes, start):
    row, column = tf.unstack(tf.cast(start, tf.float32))
    return boxes + tf.stack([column, row, column, row])

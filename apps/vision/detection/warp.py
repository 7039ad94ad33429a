"""Random geometry of a picture and its boxes: pure functions of (picture, seed)."""

import math

import tensorflow as tf

from apps.vision.detection.config import AugmentConfig
from apps.vision.detection.mosaic import FILL, Picture, chance

# Objects of which less is left are no longer targets.
MIN_SIDE = 2.0  # pixels
MIN_SHARE = 0.1  # of the area before it was cut


def random_affine(picture: Picture, seed: tf.Tensor, side: int, config: AugmentConfig) -> Picture:
    """Zooms, turns, shears and shifts a canvas and cuts the middle out.

    Args:
        picture: of any size; its centre becomes that of the result, but for the shift.
        seed: int32 tensor (2,).
        side: int. Side of the square result.
        config: the ranges.

    Returns:
        Picture of (side, side, 3) with the boxes of the objects that can still be seen.
    """
    forward = _random_matrix(seed, tf.shape(picture.image), side, config)
    image = _warped(picture.image, forward, side)
    moved = _moved(picture.boxes, forward)
    clipped = tf.clip_by_value(moved, 0.0, float(side))
    seen = _areas(clipped) >= MIN_SHARE * _areas(moved)
    seen &= tf.reduce_min(clipped[:, 2:] - clipped[:, :2], axis=-1) >= MIN_SIDE
    return Picture(image, tf.boolean_mask(clipped, seen), tf.boolean_mask(picture.labels, seen))


def random_flips(picture: Picture, seed: tf.Tensor, config: AugmentConfig) -> Picture:
    """Mirrors left to right and top to bottom, each with its probability.

    Args:
        picture: of any size.
        seed: int32 tensor (2,).
        config: the probabilities.
    """
    seeds = tf.unstack(tf.random.split(seed))
    mirrored = chance(seeds[0], config.horizontal_flip)
    overturned = chance(seeds[1], config.vertical_flip)
    image = tf.raw_ops.Reverse(tensor=picture.image, dims=tf.stack([overturned, mirrored, False]))
    height, width = tf.unstack(tf.cast(tf.shape(image)[:2], tf.float32))
    left, top, right, bottom = tf.unstack(picture.boxes, axis=-1)
    left, right = _turned(left, right, width, mirrored)
    top, bottom = _turned(top, bottom, height, overturned)
    return picture._replace(image=image, boxes=tf.stack([left, top, right, bottom], axis=-1))


def _turned(low, high, length, is_turned):
    return tf.where(is_turned, length - high, low), tf.where(is_turned, length - low, high)


def _random_matrix(seed, shape, side, config: AugmentConfig):
    """float32 (3, 3): a point (x, y, 1) of the canvas to one of the result, in pixels."""
    draws = tf.random.stateless_uniform((6,), seed, -1.0, 1.0)
    zoom = 1.0 + config.scale * draws[0]
    angle = math.radians(config.rotation) * draws[1]
    shear_x, shear_y = (tf.tan(math.radians(config.shear) * draws[i]) for i in (2, 3))
    cosine, sine = zoom * tf.cos(angle), zoom * tf.sin(angle)
    # Rotation and zoom, then shear.
    linear = tf.stack(
        [
            [cosine + shear_x * -sine, sine + shear_x * cosine],
            [shear_y * cosine - sine, shear_y * sine + cosine],
        ]
    )
    middle = tf.cast(tf.stack([shape[1], shape[0]]), tf.float32) / 2.0
    goal = side * (0.5 + config.translation * draws[4:])
    shift = goal - tf.linalg.matvec(linear, middle)
    return tf.concat([tf.concat([linear, shift[:, tf.newaxis]], axis=1), [[0.0, 0.0, 1.0]]], axis=0)


def _warped(image, forward, side):
    """The part of the image that a matrix brings into the square, bilinear."""
    backward = tf.linalg.inv(forward)
    # The operation counts from the middle of the first pixel, boxes from its edge.
    edge = tf.constant([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]])
    rows = tf.linalg.inv(edge) @ backward @ edge
    warped = tf.raw_ops.ImageProjectiveTransformV3(
        images=image[tf.newaxis],
        transforms=tf.reshape(rows, (1, 9))[:, :8],
        output_shape=(side, side),
        fill_value=float(FILL),
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )[0]
    return tf.ensure_shape(warped, (side, side, 3))


def _moved(boxes, forward):
    """The upright boxes around the moved corners of boxes."""
    left, top, right, bottom = tf.unstack(boxes, axis=-1)
    x = tf.stack([left, right, left, right], axis=-1)
    y = tf.stack([top, top, bottom, bottom], axis=-1)
    corners = tf.stack([x, y, tf.ones_like(x)], axis=-1)  # (n, 4, 3)
    moved = tf.matmul(corners, forward[:2], transpose_b=True)
    return tf.concat([tf.reduce_min(moved, axis=1), tf.reduce_max(moved, axis=1)], axis=-1)


def _areas(boxes):
    return tf.reduce_prod(boxes[:, 2:] - boxes[:, :2], axis=-1)

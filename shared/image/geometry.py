"""Affine maps of one image, with bilinear sampling, and rectangles."""

import math

import tensorflow as tf


def affine(image, matrix, fill=0.0):
    """Moves every pixel by an affine map about the centre of the image.

    Args:
        image: float32 tensor (H, W, 3).
        matrix: float32 tensor (2, 3). Takes a point (x, y, 1) of the result, measured in pixels
            from the centre, to the point of the image whose colour it gets.
        fill: float, 0..255. The colour of points outside the image.

    Returns:
        float32 tensor (H, W, 3).
    """
    shape = tf.shape(image)
    centre = (tf.cast(tf.stack([shape[1], shape[0]]), tf.float32) - 1.0) / 2.0
    linear, shift = matrix[:, :2], matrix[:, 2]
    shift = shift + centre - tf.linalg.matvec(linear, centre)
    rows = tf.concat([linear, shift[:, tf.newaxis]], axis=1)
    transform = tf.concat([tf.reshape(rows, (1, 6)), tf.zeros((1, 2))], axis=1)
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=image[tf.newaxis],
        transforms=transform,
        output_shape=shape[:2],
        fill_value=fill,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )[0]
    return tf.ensure_shape(moved, image.shape)


def rotation_matrix(degrees):
    """Turns the picture anticlockwise by an angle (float32 scalar tensor)."""
    angle = degrees * (math.pi / 180.0)
    cosine, sine = tf.cos(angle), tf.sin(angle)
    return tf.stack([tf.stack([cosine, -sine, 0.0]), tf.stack([sine, cosine, 0.0])])


def shear_matrix(x=0.0, y=0.0):
    """Shears by `x` pixels a row and `y` pixels a column (floats or scalar tensors)."""
    return tf.stack([tf.stack([1.0, x, 0.0]), tf.stack([y, 1.0, 0.0])])


def translation_matrix(x=0.0, y=0.0):
    """Takes the colours from `x` pixels further right and `y` further down."""
    return tf.stack([tf.stack([1.0, 0.0, x]), tf.stack([0.0, 1.0, y])])


def rectangle_mask(shape, start, stop):
    """Marks a rectangle.

    Args:
        shape: (height, width), ints or int32 scalar tensors. The size of the mask.
        start: (row, column) of the first pixel inside.
        stop: (row, column) of the first pixel after it.

    Returns:
        bool tensor (height, width), True inside.
    """
    rows, columns = tf.range(shape[0])[:, tf.newaxis], tf.range(shape[1])[tf.newaxis]
    in_rows = (rows >= start[0]) & (rows < stop[0])
    return in_rows & (columns >= start[1]) & (columns < stop[1])

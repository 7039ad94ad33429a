"""Colour operations on one image, as Pillow's ImageEnhance and ImageOps define them.

Images are float32 tensors (H, W, 3), 0..255, and stay inside this range.
"""

import tensorflow as tf

from shared.image.geometry import rectangle_mask

LUMA = (0.299, 0.587, 0.114)  # ITU-R 601, as in Pillow


def blend(start, end, factor):
    """Interpolates between two images and extrapolates beyond, clipped to 0..255.

    Args:
        start, end: float32 tensors (H, W, 3), or broadcastable to it.
        factor: float or float32 scalar tensor. `start` at 0, `end` at 1.
    """
    return tf.clip_by_value(start + factor * (end - start), 0.0, 255.0)


def grey(image):
    """Luma of an image: float32 tensor (H, W, 1)."""
    return tf.reduce_sum(image * LUMA, axis=-1, keepdims=True)


def adjust_brightness(image, factor):
    """Black at factor 0, the image at 1."""
    return tf.clip_by_value(image * factor, 0.0, 255.0)


def adjust_contrast(image, factor):
    """The mean grey at factor 0, the image at 1."""
    return blend(tf.reduce_mean(grey(image)), image, factor)


def adjust_saturation(image, factor):
    """A grey image at factor 0, the image at 1."""
    return blend(grey(image), image, factor)


def adjust_hue(image, turn):
    """Turns the hue by a part of the colour circle, -0.5..0.5."""
    return tf.clip_by_value(tf.image.adjust_hue(image / 255.0, turn) * 255.0, 0.0, 255.0)


def adjust_sharpness(image, factor):
    """Smoothed at factor 0, the image at 1; the outermost pixels stay."""
    kernel = tf.constant([[1.0, 1.0, 1.0], [1.0, 5.0, 1.0], [1.0, 1.0, 1.0]]) / 13.0
    kernel = tf.tile(kernel[:, :, tf.newaxis, tf.newaxis], (1, 1, 3, 1))
    smooth = tf.nn.depthwise_conv2d(image[tf.newaxis], kernel, (1, 1, 1, 1), "SAME")[0]
    height, width = tf.unstack(tf.shape(image)[:2])
    inside = rectangle_mask((height, width), (1, 1), (height - 1, width - 1))
    return blend(tf.where(inside[..., tf.newaxis], smooth, image), image, factor)


def autocontrast(image):
    """Stretches every channel to 0..255; a constant channel stays."""
    low = tf.reduce_min(image, axis=(0, 1))
    high = tf.reduce_max(image, axis=(0, 1))
    spread = tf.where(high > low, high - low, 255.0)
    return (image - tf.where(high > low, low, 0.0)) * (255.0 / spread)


def equalize(image):
    """Makes the histogram of every channel flat."""
    channels = tf.unstack(_to_levels(image), axis=-1)
    return tf.cast(tf.stack([_equalize_channel(one) for one in channels], axis=-1), tf.float32)


def posterize(image, bits):
    """Keeps the highest `bits` (int32 scalar tensor, 0..8) bits of every value."""
    step = tf.bitwise.left_shift(1, 8 - bits)
    return tf.cast(_to_levels(image) // step * step, tf.float32)


def solarize(image, threshold):
    """Inverts the values from a threshold on."""
    return tf.where(image < threshold, image, 255.0 - image)


def _to_levels(image):
    return tf.cast(tf.round(image), tf.int32)


def _equalize_channel(channel):
    histogram = tf.math.bincount(tf.reshape(channel, (-1,)), minlength=256, maxlength=256)
    last = tf.reduce_max(channel)
    step = (tf.reduce_sum(histogram) - histogram[last]) // 255

    def flattened():
        table = (tf.cumsum(histogram, exclusive=True) + step // 2) // step
        return tf.gather(tf.clip_by_value(table, 0, 255), channel)

    return tf.cond(step > 0, flattened, lambda: channel)

"""Random changes of one image: pure functions of (image, seed).

Images are float32 tensors (H, W, 3), 0..255, of static or dynamic size; `seed` is an int32
tensor (2,). The same seed gives the same result on every machine and in every order of work.
Functions that follow one another need seeds of their own: `tf.unstack(tf.random.split(seed, n))`.
"""

import math

import tensorflow as tf

from shared.image.colour import (
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
)
from shared.image.geometry import affine, rectangle_mask, rotation_matrix
from shared.image.resize import resize

CROP_ATTEMPTS = 10


def random_flip(image, seed, probability=0.5):
    """Mirrors the image left to right.

    Args:
        image: float32 tensor (H, W, 3).
        seed: int32 tensor (2,).
        probability: float.

    Returns:
        float32 tensor (H, W, 3).
    """
    mirrored = uniform(seed) < probability
    return tf.raw_ops.Reverse(tensor=image, dims=tf.stack([False, mirrored, False]))


def random_resized_crop(image, seed, size, scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3)):
    """Cuts out a random part and resizes it to a fixed size (Inception style).

    Args:
        image: float32 tensor (H, W, 3).
        seed: int32 tensor (2,).
        size: int, or (height, width). The size of the result.
        scale: (float, float). Range of the part's area, relative to the image's.
        ratio: (float, float). Range of the part's width divided by its height.

    Returns:
        float32 tensor (height, width, 3).

    Reference: [Szegedy et al., 2014](https://arxiv.org/abs/1409.4842)
    """
    start, stop = crop_window(tf.shape(image), seed, scale, ratio)
    return resize(image[start[0] : stop[0], start[1] : stop[1]], size)


def crop_window(shape, seed, scale, ratio):
    """Draws the window of `random_resized_crop`.

    Where none of ten windows fits (a very long image), it is the largest central window of an
    allowed ratio.

    Args:
        shape: int32 tensor (3,). Shape of the image.
        seed: int32 tensor (2,).
        scale: (float, float). As in `random_resized_crop`.
        ratio: (float, float). As in `random_resized_crop`.

    Returns:
        start and stop, int32 tensors (2,): the first row and column inside and after it.
    """
    fits, start, sides = _draw_window(shape, seed, scale, ratio)
    height, width = tf.unstack(tf.cast(shape[:2], tf.float32))
    allowed = tf.clip_by_value(width / height, *ratio)
    fallback = tf.stack([tf.minimum(height, width / allowed), tf.minimum(width, height * allowed)])
    fallback = tf.maximum(tf.cast(tf.round(fallback), tf.int32), 1)
    start = tf.where(fits, start, (shape[:2] - fallback) // 2)
    return start, start + tf.where(fits, sides, fallback)


def _draw_window(shape, seed, scale, ratio):
    """Draws ten windows at once and takes the first that fits: (fits, start, sides)."""
    image_sides = tf.cast(shape[:2], tf.float32)
    draws = tf.random.stateless_uniform((4, CROP_ATTEMPTS), seed)
    area = tf.reduce_prod(image_sides) * _between(draws[0], *scale)
    aspect = tf.exp(_between(draws[1], math.log(ratio[0]), math.log(ratio[1])))
    sides = tf.round(tf.stack([tf.sqrt(area / aspect), tf.sqrt(area * aspect)], axis=1))
    all_fit = tf.reduce_all((sides >= 1) & (sides <= image_sides), axis=1)
    first = tf.argmax(all_fit)
    sides = sides[first]
    start = tf.floor(draws[2:, first] * (image_sides - sides + 1))
    start = tf.minimum(start, image_sides - sides)  # rounding may reach the end
    return all_fit[first], tf.cast(start, tf.int32), tf.cast(sides, tf.int32)


def random_crop_with_padding(image, seed, padding=4):
    """Mirrors a border on every side and cuts out a part of the old size (CIFAR style).

    Args:
        image: float32 tensor (H, W, 3).
        seed: int32 tensor (2,).
        padding: int. Pixels on each side; fewer than H and W.

    Returns:
        float32 tensor (H, W, 3).
    """
    shape = tf.shape(image)
    paddings = [[padding, padding], [padding, padding], [0, 0]]
    padded = tf.pad(image, paddings, mode="REFLECT")
    offset = tf.random.stateless_uniform((2,), seed, 0, 2 * padding + 1, tf.int32)
    cropped = tf.slice(padded, tf.concat([offset, [0]], axis=0), shape)
    return tf.ensure_shape(cropped, image.shape)


def random_rotation(image, seed, degrees, fill=0.0):
    """Rotates about the centre by up to `degrees` either way.

    Args:
        image: float32 tensor (H, W, 3).
        seed: int32 tensor (2,).
        degrees: float.
        fill: float, 0..255. The colour of what comes into view.

    Returns:
        float32 tensor (H, W, 3).
    """
    angle = uniform(seed, -degrees, degrees)
    return affine(image, rotation_matrix(angle), fill)


def random_colour(image, seed, brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0):
    """Changes brightness, contrast, saturation and hue, in this order.

    Args:
        image: float32 tensor (H, W, 3).
        seed: int32 tensor (2,).
        brightness: float. The factor comes from [max(0, 1 - brightness), 1 + brightness].
        contrast: float. Likewise.
        saturation: float. Likewise.
        hue: float, 0..0.5. Largest turn of the hue either way, as a part of the circle.

    Returns:
        float32 tensor (H, W, 3).
    """
    seeds = tf.unstack(tf.random.split(seed, 4))
    for seed, strength, adjust in (
        (seeds[0], brightness, adjust_brightness),
        (seeds[1], contrast, adjust_contrast),
        (seeds[2], saturation, adjust_saturation),
    ):
        if strength:
            image = adjust(image, uniform(seed, max(0.0, 1.0 - strength), 1.0 + strength))
    return adjust_hue(image, uniform(seeds[3], -hue, hue)) if hue else image


def random_erasing(
    image, seed, probability=0.25, scale=(0.02, 0.33), ratio=(0.3, 3.3), fill="noise"
):
    """Covers a random rectangle.

    Args:
        image: float32 tensor (H, W, 3).
        seed: int32 tensor (2,).
        probability: float.
        scale: (float, float). Range of the rectangle's area, relative to the image's.
        ratio: (float, float). Range of its width divided by its height.
        fill: "noise" (a random colour for every pixel), or float, 0..255.

    Returns:
        float32 tensor (H, W, 3).

    Reference: [Zhong et al., 2017](https://arxiv.org/abs/1708.04896)
    """
    chance_seed, window_seed, noise_seed = tf.unstack(tf.random.split(seed, 3))

    def erased():
        shape = tf.shape(image)
        fits, start, sides = _draw_window(shape, window_seed, scale, ratio)
        covered = rectangle_mask(shape[:2], start, start + sides) & fits
        colour = fill
        if fill == "noise":
            colour = tf.random.stateless_uniform(shape, noise_seed, 0.0, 255.0)
        return tf.where(covered[..., tf.newaxis], colour, image)

    return tf.cond(uniform(chance_seed) < probability, erased, lambda: image)


def uniform(seed, low=0.0, high=1.0):
    """Draws one number from a uniform distribution.

    Args:
        seed: int32 tensor (2,).
        low, high: float. The range [low, high).

    Returns:
        float32 scalar tensor.
    """
    return tf.random.stateless_uniform((), seed, low, high)


def _between(draw, low, high):
    return low + draw * (high - low)

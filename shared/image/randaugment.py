"""RandAugment: a few random operations of one common strength.

Reference: [Cubuk et al., 2019](https://arxiv.org/abs/1909.13719)
"""

import tensorflow as tf

from shared.image import colour
from shared.image.augment import uniform
from shared.image.geometry import affine, rotation_matrix, shear_matrix, translation_matrix

MAX_MAGNITUDE = 30


def _translate_x(image, level, fill):
    pixels = level * 150 / 331 * tf.cast(tf.shape(image)[1], tf.float32)
    return affine(image, translation_matrix(x=pixels), fill)


def _translate_y(image, level, fill):
    pixels = level * 150 / 331 * tf.cast(tf.shape(image)[0], tf.float32)
    return affine(image, translation_matrix(y=pixels), fill)


# Every operation takes (image, level, fill). Those of SIGNED get a level of -1..1, the others of
# 0..1; 1 is the strongest. The ranges are those of the usual implementations.
SIGNED = {
    "rotate": lambda image, level, fill: affine(image, rotation_matrix(30.0 * level), fill),
    "shear_x": lambda image, level, fill: affine(image, shear_matrix(x=0.3 * level), fill),
    "shear_y": lambda image, level, fill: affine(image, shear_matrix(y=0.3 * level), fill),
    "translate_x": _translate_x,
    "translate_y": _translate_y,
    "brightness": lambda image, level, _: colour.adjust_brightness(image, 1.0 + 0.9 * level),
    "saturation": lambda image, level, _: colour.adjust_saturation(image, 1.0 + 0.9 * level),
    "contrast": lambda image, level, _: colour.adjust_contrast(image, 1.0 + 0.9 * level),
    "sharpness": lambda image, level, _: colour.adjust_sharpness(image, 1.0 + 0.9 * level),
}
UNSIGNED = {
    "identity": lambda image, level, _: image,
    "autocontrast": lambda image, level, _: colour.autocontrast(image),
    "equalize": lambda image, level, _: colour.equalize(image),
    "posterize": lambda image, level, _: colour.posterize(
        image, 8 - tf.cast(tf.round(4.0 * level), tf.int32)
    ),
    "solarize": lambda image, level, _: colour.solarize(image, 255.0 * (1.0 - level)),
}
OPERATIONS = SIGNED | UNSIGNED


def rand_augment(image, seed, num_ops=2, magnitude=9, fill=127.5):
    """Applies operations drawn at random, all of one magnitude.

    Args:
        image: float32 tensor (H, W, 3), 0..255.
        seed: int32 tensor (2,).
        num_ops: int. How many operations follow one another.
        magnitude: float or scalar tensor, 0..30. Their strength.
        fill: float, 0..255. The colour that moving operations bring in.

    Returns:
        float32 tensor (H, W, 3), 0..255.
    """
    level = tf.cast(magnitude, tf.float32) / MAX_MAGNITUDE
    for step_seed in tf.unstack(tf.random.split(seed, num_ops)):
        which_seed, sign_seed = tf.unstack(tf.random.split(step_seed))
        which = tf.random.stateless_uniform((), which_seed, 0, len(OPERATIONS), tf.int32)
        sign = tf.where(uniform(sign_seed) < 0.5, -1.0, 1.0)
        image = _apply(image, which, level, sign, fill)
    return image


def _apply(image, which, level, sign, fill):
    def branch(name):
        signed_level = sign * level if name in SIGNED else level
        return lambda: OPERATIONS[name](image, signed_level, fill)

    changed = tf.switch_case(which, [branch(name) for name in OPERATIONS])
    return tf.ensure_shape(changed, image.shape)

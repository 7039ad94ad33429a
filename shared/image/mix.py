"""Mixing the images and labels of a batch: pure functions of (images, labels, seed).

A batch-sized shuffle pairs the examples, and every example has its own mixing weight.
"""

import tensorflow as tf


def mixup(images, labels, seed, alpha=0.2):
    """Blends every example with another one.

    Args:
        images: float32 tensor (B, H, W, C).
        labels: float32 tensor (B, classes), one-hot or soft.
        seed: int32 tensor (2,). One for the batch.
        alpha: float > 0. The weight comes from Beta(alpha, alpha).

    Returns:
        images and labels of the same shapes.

    Reference: [Zhang et al., 2017](https://arxiv.org/abs/1710.09412)
    """
    images, labels = tf.cast(images, tf.float32), tf.cast(labels, tf.float32)
    pair_seed, weight_seed = tf.unstack(tf.random.split(seed))
    partner = _shuffled_indices(tf.shape(images)[0], pair_seed)
    weight = beta((tf.shape(images)[0],), weight_seed, alpha)
    return (
        _blend(images, tf.gather(images, partner), weight),
        _blend(labels, tf.gather(labels, partner), weight),
    )


def cutmix(images, labels, seed, alpha=1.0):
    """Pastes a rectangle of another example into every example.

    The label's weight is the area that is left of the example, after the rectangle has been
    clipped at the border.

    Args:
        images: float32 tensor (B, H, W, C).
        labels: float32 tensor (B, classes), one-hot or soft.
        seed: int32 tensor (2,). One for the batch.
        alpha: float > 0. The weight comes from Beta(alpha, alpha).

    Returns:
        images and labels of the same shapes.

    Reference: [Yun et al., 2019](https://arxiv.org/abs/1905.04899)
    """
    images, labels = tf.cast(images, tf.float32), tf.cast(labels, tf.float32)
    pair_seed, weight_seed, position_seed = tf.unstack(tf.random.split(seed, 3))
    batch = tf.shape(images)[0]
    partner = _shuffled_indices(batch, pair_seed)
    pasted = _rectangles(tf.shape(images), beta((batch,), weight_seed, alpha), position_seed)
    mixed = tf.where(pasted[..., tf.newaxis], tf.gather(images, partner), images)
    kept = 1.0 - tf.reduce_mean(tf.cast(pasted, tf.float32), axis=(1, 2))
    return mixed, _blend(labels, tf.gather(labels, partner), kept)


def mixup_or_cutmix(images, labels, seed, mixup_alpha=0.2, cutmix_alpha=1.0):
    """MixUp or CutMix with equal chances, for a whole batch.

    Args:
        images, labels, seed: see `mixup`.
        mixup_alpha, cutmix_alpha: float > 0. See `mixup` and `cutmix`.
    """
    choice_seed, mix_seed = tf.unstack(tf.random.split(seed))
    return tf.cond(
        tf.random.stateless_uniform((), choice_seed) < 0.5,
        lambda: mixup(images, labels, mix_seed, mixup_alpha),
        lambda: cutmix(images, labels, mix_seed, cutmix_alpha),
    )


def beta(shape, seed, alpha):
    """Draws from Beta(alpha, alpha).

    Args:
        shape: tuple of ints or scalar tensors.
        seed: int32 tensor (2,).
        alpha: float > 0.

    Returns:
        float32 tensor of this shape, 0..1.
    """
    # In float64: for a small alpha both gammas may be too small for float32.
    first, second = tf.unstack(
        tf.random.stateless_gamma(
            (2, *shape), seed, tf.constant(alpha, tf.float64), dtype=tf.float64
        )
    )
    return tf.cast(tf.math.divide_no_nan(first, first + second), tf.float32)


def _shuffled_indices(count, seed):
    return tf.argsort(tf.random.stateless_uniform((count,), seed))


def _blend(first, second, weight):
    weight = tf.reshape(weight, [-1] + [1] * (first.shape.rank - 1))
    return weight * first + (1.0 - weight) * second


def _rectangles(shape, weight, seed):
    """bool masks (B, H, W), True in a rectangle that covers 1 - weight before clipping."""
    batch, sides = shape[0], tf.cast(shape[1:3], tf.float32)
    size = tf.sqrt(1.0 - weight)[:, tf.newaxis] * sides
    centre = tf.random.stateless_uniform((batch, 2), seed) * sides
    start, stop = tf.round(centre - size / 2), tf.round(centre + size / 2)
    rows = tf.range(sides[0])[tf.newaxis]
    columns = tf.range(sides[1])[tf.newaxis]
    in_rows = (rows >= start[:, :1]) & (rows < stop[:, :1])
    in_columns = (columns >= start[:, 1:]) & (columns < stop[:, 1:])
    return in_rows[:, :, tf.newaxis] & in_columns[:, tf.newaxis, :]

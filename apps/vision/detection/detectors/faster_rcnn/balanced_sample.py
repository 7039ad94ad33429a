"""Random samples of some positive and many negative candidates, in fixed numbers."""

import math

import tensorflow as tf

GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


def balanced_sample(positive, negative, draws, count: int, most_positive: int):
    """Draws candidates without replacement: positive ones first, negative ones for the rest.

    The random numbers come with the data. Those with the largest are taken: `most_positive` of
    the positive candidates or as many as there are, then negative ones up to `count`.

    Args:
        positive: bool tensor (B, N).
        negative: bool tensor (B, N). No candidate is both; some may be neither.
        draws: float32 tensor (B, N) in 0..1.
        count: int. Size of the sample.
        most_positive: int. Maximum number of positive candidates, at most `count`.

    Returns:
        indices, int32 tensor (B, min(count, N)), positive candidates first; is_sampled, bool
        tensor of the same shape, False where there were not enough candidates.
    """
    number = tf.shape(draws)[-1]
    best = tf.math.top_k(tf.where(positive, draws, -1.0), tf.minimum(most_positive, number)).values
    chosen = positive & (draws >= best[:, -1:])
    priority = tf.where(chosen, draws + 2.0, tf.where(negative, draws, -1.0))
    priority, indices = tf.math.top_k(priority, tf.minimum(count, number))
    return indices, priority >= 0.0


def even_draws(shape):
    """Draws for where nothing is random: the multiples of the golden ratio without their wholes.

    Any stretch of them is evenly spread over 0..1, so that the sample is spread over the image.

    Args:
        shape: (B, N), ints or int scalar tensors.

    Returns:
        float32 tensor (B, N).
    """
    multiples = tf.cast(tf.range(shape[1]), tf.float64) * GOLDEN
    return tf.broadcast_to(tf.cast(multiples - tf.floor(multiples), tf.float32), shape)

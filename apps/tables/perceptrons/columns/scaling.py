"""Numbers to a common scale: by mean and deviation, or by rank, as a normal distribution."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from apps.tables.perceptrons.columns.schema import Column


class Scaling:
    """Scales columns of numbers, each by what was learnt of it.

    Args:
        columns: those that become a number each.
    """

    def __init__(self, columns: Sequence[Column]):
        self.medians = np.array([column.median for column in columns], np.float64)
        self._means = np.array([column.mean for column in columns])
        self._deviations = np.array([column.deviation for column in columns])
        ranked = [index for index, column in enumerate(columns) if column.quantiles]
        others = [index for index, column in enumerate(columns) if not column.quantiles]
        self._ranked, self._others = np.array(ranked, np.int32), np.array(others, np.int32)
        self._order = np.argsort([*others, *ranked])
        self._quantiles = np.array([columns[index].quantiles for index in ranked])

    def __call__(self, numbers: tf.Tensor) -> tf.Tensor:
        """Scaled numbers (N, K) of numbers float64 (N, K) without NaN."""
        scaled = (numbers - self._means) / self._deviations
        if not self._ranked.size:
            return scaled
        scores = normal_scores(tf.gather(numbers, self._ranked, axis=1), self._quantiles)
        parts = [tf.gather(scaled, self._others, axis=1), scores]
        return tf.gather(tf.concat(parts, axis=1), self._order, axis=1)


def normal_scores(numbers: tf.Tensor, quantiles: np.ndarray) -> tf.Tensor:
    """The normal quantile of each number's rank among those of the training rows.

    Equal numbers have the mean of their ranks. Beyond the smallest and the largest of Q quantiles
    is the rank of half a quantile, so that no number is infinite.

    Args:
        numbers: float64 tensor (N, K).
        quantiles: float64 array (K, Q), equally spaced, rising.

    Returns:
        float64 tensor (N, K).
    """
    values, quantiles = tf.transpose(numbers), tf.constant(quantiles, tf.float64)
    count = quantiles.shape[1]
    above = tf.searchsorted(quantiles, values, side="right") - 1
    below = tf.searchsorted(quantiles, values, side="left") - 1

    def rank(lower, is_past):
        """The rank between a quantile and the next."""
        lower = tf.clip_by_value(lower, 0, count - 2)
        begin = tf.gather(quantiles, lower, batch_dims=1)
        width = tf.gather(quantiles, lower + 1, batch_dims=1) - begin
        fraction = tf.math.divide_no_nan(values - begin, width)
        step = tf.cast(is_past(values, begin), tf.float64)
        fraction = tf.where(width > 0, tf.clip_by_value(fraction, 0.0, 1.0), step)
        return (tf.cast(lower, tf.float64) + fraction) / (count - 1)

    ranks = (rank(above, tf.greater_equal) + rank(below, tf.greater)) / 2
    least = 0.5 / count
    return tf.transpose(tf.math.ndtri(tf.clip_by_value(ranks, least, 1 - least)))

"""Sampling from a fixed distribution of words, in the graph and in constant time."""

import numpy as np
import tensorflow as tf


class NoiseSampler:
    """Samples words by Walker's alias method: every draw is one column and one biased coin.

    The probabilities are spread over V columns of equal width. A column holds its own word up
    to some height and one other word, its alias, above that height.

    Args:
        probabilities: float (V,). Sums to 1.

    Reference: [Vose, 1991, A linear algorithm for generating random numbers with a given
    distribution](https://doi.org/10.1109/32.92917)
    """

    def __init__(self, probabilities: np.ndarray):
        heights, aliases = alias_table(probabilities)
        self.size = len(heights)
        self.heights = tf.constant(heights, tf.float32)
        self.aliases = tf.constant(aliases, tf.int32)

    def draw(self, shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Draws words.

        Args:
            shape: int tensor. Any shape.
            seed: int32 (2,). The draw is a pure function of it.

        Returns:
            int32 tensor of that shape.
        """
        column_seed, coin_seed = tf.unstack(tf.random.split(seed, 2))
        columns = tf.random.stateless_uniform(shape, column_seed, 0, self.size, tf.int32)
        coins = tf.random.stateless_uniform(shape, coin_seed)
        own = coins < tf.gather(self.heights, columns)
        return tf.where(own, columns, tf.gather(self.aliases, columns))


def alias_table(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Computes heights float64 (V,) and aliases int32 (V,) of the columns."""
    heights = np.asarray(probabilities, np.float64) * len(probabilities)
    aliases = np.arange(len(heights), dtype=np.int32)
    small = np.flatnonzero(heights < 1).tolist()
    large = np.flatnonzero(heights >= 1).tolist()
    while small and large:
        low, high = small.pop(), large[-1]
        aliases[low] = high
        heights[high] -= 1 - heights[low]
        if heights[high] < 1:
            small.append(large.pop())
    # The remaining heights are 1 but for rounding.
    heights[small + large] = 1.0
    return heights, aliases

"""Writing to the caches of keys and values of a decoder, in place."""

from collections.abc import Callable

import tensorflow as tf


def in_place_writer(cache: tf.Tensor, slot: tf.Tensor) -> Callable:
    """Writes a position into caches, for `MultiHeadAttention.step`.

    A scatter copies the whole cache, every time: 0.16 ms for 32 x 4 x 192 x 32 numbers and 0.64 ms
    for 1,024 slots, where this takes 0.01 ms. So what was in a cache is lost: nobody else may read
    it, and no two caches may be one tensor.

    Args:
        cache: float tensor (R, H, S, d), one of the caches, all of the same shape.
        slot: int32 scalar. Index along S.

    Returns:
        Function of a cache and a position (R, H, 1, d) to the cache with it.
    """
    shape, size = tf.shape(cache), cache.shape[-1]
    places = tf.range(shape[0] * shape[1]) * shape[2] + slot

    def write(kept, added):
        flat, new = (tf.reshape(tensor, [-1, size]) for tensor in (kept, added))
        written = tf.raw_ops.InplaceUpdate(x=flat, i=places, v=new)
        return tf.ensure_shape(tf.reshape(written, shape), kept.shape)

    return write

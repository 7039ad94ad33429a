"""The image pool: discriminators also see fakes that the generators made some time ago."""

import keras
import tensorflow as tf

from shared.engine.distribution.all_reduce import gather_rows


class ImagePool:
    """Remembers fakes and gives back old ones instead of half of the new ones.

    Until it is full the pool keeps every new image and gives it back. Then, with probability
    one half, it gives back a random old image, in whose place the new one stays; otherwise the
    new image, which is not kept.

    All replicas keep equal pools of the fakes of the global batch, taken in the order of its
    rows, so that the number of devices does not matter and a checkpoint holds everything.

    Args:
        size: int. Number of images that are remembered; 0 gives back what it gets.
        shape: (height, width, channels) of an image.
        name: str. Names the variables.

    Reference: [Shrivastava et al., 2016](https://arxiv.org/abs/1612.07828), section 2.3
    """

    def __init__(self, size: int, shape: tuple[int, int, int], name: str = "pool"):
        self.size = size
        self.variables: list[keras.Variable] = []
        if size:
            self.images = self._variable((size, *shape), "float32", f"{name}_images")
            self.count = self._variable((), "int32", f"{name}_count")
            self.variables = [self.images, self.count]

    def _variable(self, shape, dtype, name) -> keras.Variable:
        """A variable that each replica assigns by itself, to the same value."""
        return keras.Variable(
            tf.zeros(shape, dtype),
            trainable=False,
            dtype=dtype,
            name=name,
            synchronization="on_read",
            aggregation="only_first_replica",
        )

    def exchange(self, images: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
        """Takes new fakes and gives back as many.

        Args:
            images: float tensor (b, H, W, C), this replica's fakes.
            draws: float tensor (b, 2) in [0, 1). For each: whether an old one is given back,
                and which.

        Returns:
            Float tensor (b, H, W, C) of the same dtype.
        """
        if not self.size:
            return images
        new, begin = gather_rows(tf.cast(images, tf.float32))
        all_draws, _ = gather_rows(draws)
        given, kept, count = choose(all_draws, self.count.value, self.size)
        # Old images have the numbers below `size`, the new ones follow.
        numbered = tf.concat([self.images.value, new], axis=0)
        own = given[begin : begin + tf.shape(images)[0]]
        back = tf.ensure_shape(tf.gather(numbered, own), images.shape)
        self.images.assign(tf.gather(numbered, kept))
        self.count.assign(count)
        return tf.cast(back, images.dtype)


def choose(draws: tf.Tensor, count: tf.Tensor, size: int):
    """Which images are given back, and which are remembered.

    Args:
        draws: float tensor (n, 2), see `ImagePool.exchange`.
        count: int32 scalar. How many images the pool holds.
        size: int. How many it can hold.

    Returns:
        given, int32 (n,), and kept, int32 (size,): numbers of images, below `size` those of the
        pool and from there on the new ones; and the new count, int32 scalar.
    """

    def one(index, given, kept, count):
        number = size + index
        fills = count < size
        swaps = ~fills & (draws[index, 0] >= 0.5)
        slot = tf.where(fills, count, tf.cast(draws[index, 1] * size, tf.int32))
        slot = tf.minimum(slot, size - 1)
        given = given.write(index, tf.where(swaps, kept[slot], number))
        stays = tf.where(fills | swaps, number, kept[slot])
        kept = tf.tensor_scatter_nd_update(kept, [[slot]], [stays])
        return index + 1, given, kept, count + tf.cast(fills, tf.int32)

    rows = tf.shape(draws)[0]
    given = tf.TensorArray(tf.int32, size=rows)
    state = (0, given, tf.range(size), tf.cast(count, tf.int32))
    _, given, kept, count = tf.while_loop(lambda index, *_: index < rows, one, state)
    return given.stack(), kept, count

"""The image pool: a history of fakes for the discriminators."""

import keras
import tensorflow as tf

from shared.engine.distribution.all_reduce import gather_rows


class ImagePool:
    """Keeps earlier fakes and returns some of them in place of half of the new ones.

    Until it is full the pool keeps every new image and returns it. Then, with probability one
    half, it returns a random old image, which the new one replaces; otherwise it returns the new
    image, which is not kept.

    All replicas keep equal pools of the fakes of the global batch, taken in the order of its
    rows, so that the number of devices does not matter and a checkpoint holds everything.

    Args:
        size: int. Number of images that are kept; 0 returns the new images.
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
        """Takes new fakes and returns as many, some of them old.

        Args:
            images: float tensor (b, H, W, C), this replica's fakes.
            draws: float tensor (b, 2) in [0, 1). For each image: whether an old one is
                returned, and which.

        Returns:
            Float tensor (b, H, W, C) of the same dtype.
        """
        if not self.size:
            return images
        new, begin = gather_rows(tf.cast(images, tf.float32))
        all_draws, _ = gather_rows(draws)
        returned, kept, count = choose(all_draws, self.count.value, self.size)
        # Old images have the indices below `size`, the new ones follow.
        all_images = tf.concat([self.images.value, new], axis=0)
        own = returned[begin : begin + tf.shape(images)[0]]
        back = tf.ensure_shape(tf.gather(all_images, own), images.shape)
        self.images.assign(tf.gather(all_images, kept))
        self.count.assign(count)
        return tf.cast(back, images.dtype)


def choose(draws: tf.Tensor, count: tf.Tensor, size: int):
    """Chooses the images that are returned and those that the pool keeps.

    Args:
        draws: float tensor (n, 2), see `ImagePool.exchange`.
        count: int32 scalar. Number of images in the pool.
        size: int. Capacity of the pool.

    Returns:
        returned, int32 (n,), and kept, int32 (size,): indices of images, below `size` those of the
        pool and from there on the new ones; and the new count, int32 scalar.
    """

    def one(index, returned, kept, count):
        new = size + index
        fills = count < size
        swaps = ~fills & (draws[index, 0] >= 0.5)
        slot = tf.where(fills, count, tf.cast(draws[index, 1] * size, tf.int32))
        slot = tf.minimum(slot, size - 1)
        returned = returned.write(index, tf.where(swaps, kept[slot], new))
        stays = tf.where(fills | swaps, new, kept[slot])
        kept = tf.tensor_scatter_nd_update(kept, [[slot]], [stays])
        return index + 1, returned, kept, count + tf.cast(fills, tf.int32)

    rows = tf.shape(draws)[0]
    returned = tf.TensorArray(tf.int32, size=rows)
    state = (0, returned, tf.range(size), tf.cast(count, tf.int32))
    _, returned, kept, count = tf.while_loop(lambda index, *_: index < rows, one, state)
    return returned.stack(), kept, count

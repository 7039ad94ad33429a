"""Pictures to tf.data: random crops for training, whole images for evaluation.

Low-resolution images are MATLAB's bicubic reductions of whole images. In training only a window
is reduced, as much larger than the crop as the kernel reaches and mirrored where it leaves the
image: the crop is, level by level, a part of the reduced whole image.
"""

import numpy as np
import tensorflow as tf

from apps.generative.srgan.config import SrganConfig
from apps.generative.srgan.pictures import Picture
from shared.common import stream
from shared.image import bicubic
from shared.image.image_store import ImageStore


class PictureStore:
    """The images of a split by index, decoded once where they fit into memory.

    Args:
        pictures: of the split.
        scale: int. Factor s.
        cache: "auto", "memory" or "off"; see `ImageStore`.
    """

    def __init__(self, pictures: list[Picture], scale: int, cache: str):
        self.scale = scale
        pixels = sum(picture.width * picture.height for picture in pictures)
        self.high = ImageStore(pictures, cache, pixels)
        # The low-resolution files of all pictures, or of none of them.
        self.low = None
        if any(picture.low for picture in pictures):
            lows = [picture.low for picture in pictures]
            self.low = ImageStore(lows, cache, pixels // scale**2 + 1)

    def __len__(self) -> int:
        return len(self.high)


def crop_table(pictures: list[Picture], crop_size: int, crops_per_image: int) -> np.ndarray:
    """Index of the picture of each crop of an epoch, int64 (crops,).

    Args:
        pictures: of the training split.
        crop_size: int. Side of a crop in pixels.
        crops_per_image: int. 0 takes about as many of each image as cover it.
    """
    counts = [
        crops_per_image or max(1, round(picture.width * picture.height / crop_size**2))
        for picture in pictures
    ]
    return np.repeat(np.arange(len(pictures)), counts)


def training_dataset(
    store: PictureStore,
    table: np.ndarray,
    config: SrganConfig,
    start_step: int = 0,
    worker: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """Endless batches of (low float32 (b, c / s, c / s, 3), high float32 (b, c, c, 3)), 0..255.

    Args:
        store: the training pictures.
        table: see `crop_table`.
        config: the configuration.
        start_step: int. Global step of the first batch.
        worker: (index, count).
    """
    pictures = tf.constant(table, tf.int64)

    def example(index, seed, step):
        low, high = random_crop(store, pictures[index], seed, config)
        return tf.cast(low, tf.float32), tf.cast(high, tf.float32)

    steps = stream.training_steps(len(table), config.batch_size, config.seed, start_step, worker)
    examples = steps.unbatch().map(example, num_parallel_calls=tf.data.AUTOTUNE)
    count = stream.worker_batch_size(config.batch_size, worker)
    return examples.batch(count, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def random_crop(store: PictureStore, index, seed, config: SrganConfig):
    """The same random crop of a picture in both resolutions, rotated and mirrored alike.

    Args:
        store: the pictures.
        index: int64 scalar tensor.
        seed: int32 tensor (2,), the only source of randomness.
        config: the configuration.

    Returns:
        uint8 tensors (c / s, c / s, 3) and (c, c, 3).
    """
    crop_seed, turn_seed = tf.unstack(tf.random.split(seed, 2))
    scale, options = store.scale, config.data_options
    side = options.crop_size // scale
    image = store.high.load(index)
    room = tf.shape(image)[:2] // scale - side + 1
    start = tf.random.stateless_uniform((2,), crop_seed, 0, 2**31 - 1, tf.int32) % room
    high = _part(image, start * scale, side * scale)
    if store.low is None:
        low = reduced_part(image, start, side, scale)
    else:
        low = _part(store.low.load(index), start, side)
    return _turned(low, turn_seed, options), _turned(high, turn_seed, options)


def _part(image, start, side: int):
    part = image[start[0] : start[0] + side, start[1] : start[1] + side]
    return tf.ensure_shape(part, (side, side, 3))


def reduced_part(image, start, side: int, scale: int):
    """A square of the bicubic reduction of an image, without reducing the rest.

    Args:
        image: uint8 tensor (H, W, 3); a remainder below `scale` at its end is left out.
        start: int32 tensor (2,). First row and column of the square in the reduced image.
        side: int. Of the square.
        scale: int. The factor.

    Returns:
        uint8 tensor (side, side, 3): as in `bicubic.reduce` of the whole.
    """
    matrix = tf.constant(window_matrix(side, scale), tf.float32)
    whole = tf.shape(image)[:2] // scale * scale
    around = tf.range(-_margin(scale), side * scale + _margin(scale))
    rows, columns = (_mirrored(start[axis] * scale + around, whole[axis]) for axis in (0, 1))
    window = tf.gather(tf.gather(image, rows, axis=0), columns, axis=1)
    window = _as_levels(tf.einsum("ij,jkc->ikc", matrix, tf.cast(window, tf.float32)))
    return tf.cast(_as_levels(tf.einsum("ij,kjc->kic", matrix, window)), tf.uint8)


def window_matrix(side: int, scale: int) -> np.ndarray:
    """The matrix that reduces a line of `side * scale` pixels and its margins to `side` pixels."""
    indices, weights = bicubic.taps(side * scale, side, 1 / scale)
    matrix = np.zeros((side, side * scale + 2 * _margin(scale)))
    rows, taps = np.nonzero(weights)
    matrix[rows, indices[rows, taps] + _margin(scale)] = weights[rows, taps]
    return matrix


def _margin(scale: int) -> int:
    """High-resolution pixels that the kernel needs beyond the first and the last pixel."""
    return bicubic.REACH * scale


def _mirrored(indices, length):
    wrapped = tf.math.floormod(indices, 2 * length)
    return tf.minimum(wrapped, 2 * length - 1 - wrapped)


def _as_levels(values):
    # As in `bicubic`: halves up, in spite of a last digit lost on the way.
    return tf.clip_by_value(tf.floor(values + (0.5 + 1e-4)), 0.0, 255.0)


def _turned(image, seed, options):
    """Mirrors and rotates an image at random: one of eight versions."""
    draws = tf.random.stateless_uniform((2,), seed, 0, 4, tf.int32)
    if options.flips:
        mirrored = tf.stack([False, draws[0] % 2 == 1, False])
        image = tf.raw_ops.Reverse(tensor=image, dims=mirrored)
    return tf.image.rot90(image, draws[1]) if options.rotations else image


def evaluation_dataset(store: PictureStore, worker: tuple[int, int] = (0, 1)) -> tf.data.Dataset:
    """A worker's pictures once, whole and in order: batches of one (low, high) as in training.

    The high-resolution image is cut to a multiple of the scale.
    """
    scale = store.scale

    def example(index):
        image = store.high.load(index)
        high = image[: tf.shape(image)[0] // scale * scale, : tf.shape(image)[1] // scale * scale]
        if store.low is None:
            low = tf.numpy_function(lambda whole: bicubic.reduce(whole, scale), [high], tf.uint8)
        else:
            low = store.low.load(index)
        low = tf.ensure_shape(low, (None, None, 3))
        return tf.cast(low, tf.float32), tf.cast(high, tf.float32)

    indices = stream.evaluation_examples(len(store), 1, worker)
    return indices.map(example, num_parallel_calls=tf.data.AUTOTUNE).batch(1).prefetch(2)

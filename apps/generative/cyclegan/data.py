"""Images of two domains to tf.data: resize, random crop, flip; nothing is paired."""

import math

import tensorflow as tf

from apps.generative.cyclegan.config import CycleGANConfig, DataConfig
from apps.generative.cyclegan.cycle_gan import DRAWS
from apps.generative.cyclegan.domains import DOMAINS
from shared.common import stream
from shared.image import augment
from shared.image.image_store import ImageStore
from shared.image.levels import from_levels
from shared.image.resize import resize, resize_to_cover

PAPER_MARGIN = 286 / 256


def load_size(options: DataConfig) -> int:
    """Side of the images before the crop."""
    chosen = options.load_size or math.ceil(options.image_size * PAPER_MARGIN)
    return max(chosen, options.image_size)


def resize_for_training(image: tf.Tensor, options: DataConfig) -> tf.Tensor:
    """Resizes an image before the random crop: uint8 (H, W, 3) to uint8 (h, w, 3)."""
    if options.resize == "none":
        return image
    side = load_size(options)
    size = (side, side)
    if options.resize == "cover":
        old = tf.cast(tf.shape(image)[:2], tf.float64)
        scaled = tf.cast(tf.round(old * (side / tf.reduce_min(old))), tf.int32)
        size = tuple(tf.unstack(tf.maximum(scaled, side)))
    return _whole_levels(resize(image, size))


def training_image(image: tf.Tensor, seed: tf.Tensor, options: DataConfig) -> tf.Tensor:
    """Random crop and flip of a resized image: float32 (S, S, 3) in -1..1.

    Args:
        image: uint8 (h, w, 3), both at least S.
        seed: int32 (2,), the only source of randomness.
        options: DataConfig. Size S of the crop, and whether to flip.
    """
    crop_seed, flip_seed = tf.unstack(tf.random.split(seed, 2))
    side = options.image_size
    image = tf.image.stateless_random_crop(image, (side, side, 3), crop_seed)
    if options.flip:
        image = augment.random_flip(image, flip_seed)
    return tf.ensure_shape(from_levels(image), (side, side, 3))


def evaluation_image(image: tf.Tensor, options: DataConfig) -> tf.Tensor:
    """Resizes or crops an image for evaluation: uint8 (H, W, 3) to uint8 (S, S, 3)."""
    side = options.image_size
    if options.resize == "squash":
        return _whole_levels(resize(image, side))
    if options.resize == "cover":
        return _whole_levels(resize_to_cover(image, side))
    corner = (tf.shape(image)[:2] - side) // 2
    return image[corner[0] : corner[0] + side, corner[1] : corner[1] + side]


def _whole_levels(image: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.round(image), tf.uint8)


def training_dataset(
    stores: dict[str, ImageStore],
    options: DataConfig,
    batch_size: int,
    seed: int,
    start_step: int = 0,
    worker: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """Endless batches {"a", "b": float32 (b, S, S, 3) in -1..1, "draws": float32 (b, DRAWS)}.

    Every domain has its own endless order, so that each image of A meets many of B. `draws`
    holds the random numbers of the step itself: see `cycle_gan.DRAWS`.

    Args:
        stores: "a" and "b" to the training images.
        options: DataConfig. Size S of the crops, and whether to flip.
        batch_size: int. Global batch size.
        seed: int. Seed of orders, crops, flips and draws.
        start_step: int. Global step of the first batch.
        worker: (index, count).
    """

    def examples(number: int, domain: str) -> tf.data.Dataset:
        store = stores[domain]

        def example(index, position_seed, step):
            image_seed, draw_seed = tf.unstack(tf.random.split(position_seed, 2))
            image = training_image(store.load(index), image_seed, options)
            return image, tf.random.stateless_uniform((DRAWS,), draw_seed)

        # Seeds that differ in one bit give the domains orders of their own.
        steps = stream.training_steps(len(store), batch_size, seed ^ number, start_step, worker)
        return steps.unbatch().map(example, num_parallel_calls=tf.data.AUTOTUNE)

    def together(from_a, from_b):
        (image_a, draws), (image_b, _) = from_a, from_b
        return {"a": image_a, "b": image_b, "draws": draws}

    both = tf.data.Dataset.zip(*(examples(i, domain) for i, domain in enumerate(DOMAINS)))
    batches = both.map(together).batch(
        stream.worker_batch_size(batch_size, worker), drop_remainder=True
    )
    return batches.prefetch(tf.data.AUTOTUNE)


def evaluation_dataset(
    stores: dict[str, ImageStore], config: CycleGANConfig, worker: tuple[int, int] = (0, 1)
) -> tf.data.Dataset:
    """A worker's held-out images: batches ({"a", "b", "has_a", "has_b"},).

    The smaller domain is repeated; `has_a` and `has_b`, bool (b,), are False in repeated rows.

    Args:
        stores: "a" and "b" to the held-out images.
        config: of the run.
        worker: (index, count).
    """
    sizes = {domain: len(stores[domain]) for domain in DOMAINS}

    def example(index):
        row = {}
        for domain, size in sizes.items():
            image = stores[domain].load(index % size)
            side = config.data_options.image_size
            row[domain] = tf.ensure_shape(from_levels(image), (side, side, 3))
            row[f"has_{domain}"] = index < size
        return (row,)

    rows = stream.evaluation_examples(max(sizes.values()), config.batch_size, worker)
    examples = rows.map(example, num_parallel_calls=tf.data.AUTOTUNE)
    return examples.batch(config.batch_size).prefetch(tf.data.AUTOTUNE)

"""Labelled images to tf.data: loading, augmentation and batches."""

import numpy as np
import tensorflow as tf

from apps.vision.backbones.registry import default_image_size
from apps.vision.classification.config import AugmentConfig, ClassifyConfig
from shared.common import stream
from shared.image import augment, mix
from shared.image.image_store import ImageStore
from shared.image.randaugment import rand_augment
from shared.image.resize import resize_to_cover


def evaluation_image(image: tf.Tensor, config: ClassifyConfig) -> tf.Tensor:
    """The input of the network for an image outside training: the same in the SavedModel.

    Args:
        image: uint8 (H, W, 3).

    Returns:
        float32 (S, S, 3) in 0..255, S the image size.
    """
    return resize_to_cover(image, image_size(config), config.model.crop_ratio)


def image_size(config: ClassifyConfig) -> int:
    """Side S of the square input: the configured one, or the network's own."""
    return config.model.image_size or default_image_size(config.model.backbone)


def training_image(image: tf.Tensor, seed: tf.Tensor, config: ClassifyConfig) -> tf.Tensor:
    """A random view of an image.

    Args:
        image: uint8 (H, W, 3).
        seed: int32 (2,), the only source of randomness.

    Returns:
        float32 (S, S, 3) in 0..255.
    """
    seeds = tf.unstack(tf.random.split(seed, 6))
    image = _crop(image, seeds[0], config)
    image = _turn(image, seeds[1], seeds[2], config.augment)
    image = augment.random_colour(
        image,
        seeds[3],
        brightness=config.augment.brightness,
        contrast=config.augment.contrast,
        saturation=config.augment.saturation,
        hue=config.augment.hue,
    )
    if config.augment.rand_augment:
        image = rand_augment(
            image, seeds[4], config.augment.rand_augment, config.augment.rand_magnitude
        )
    if config.augment.erase:
        image = augment.random_erasing(image, seeds[5], config.augment.erase)
    size = image_size(config)
    return tf.ensure_shape(image, (size, size, 3))


def _crop(image, seed, config: ClassifyConfig):
    if config.augment.crop == "resized":
        area = (config.augment.crop_area, 1.0)
        image = tf.cast(image, tf.float32)
        return augment.random_resized_crop(image, seed, image_size(config), scale=area)
    image = evaluation_image(image, config)
    if config.augment.crop == "padded":
        image = augment.random_crop_with_padding(image, seed, config.augment.padding)
    return image


def _turn(image, flip_seed, rotation_seed, config: AugmentConfig):
    if config.horizontal_flip:
        image = augment.random_flip(image, flip_seed)
    if config.rotation:
        image = augment.random_rotation(image, rotation_seed, config.rotation)
    return image


def training_dataset(
    store: ImageStore,
    targets: np.ndarray,
    config: ClassifyConfig,
    start_step: int = 0,
    worker: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """Endless batches of (images float32 (b, S, S, 3), targets float32 (b, C)).

    With MixUp or CutMix every worker makes the whole global batch and keeps its slice, so
    that partners do not depend on the number of workers.

    Args:
        store: the images.
        targets: float array (n, C), 1 at the class or the labels of an image.
        config: the configuration.
        start_step: int. Global step of the first batch.
        worker: (index, count).
    """
    mixes = config.augment.mixup > 0 or config.augment.cutmix > 0
    part = (0, 1) if mixes else worker
    rows = tf.constant(targets, tf.float32)

    def example(index, seed, step):
        return training_image(store.load(index), seed, config), rows[index], seed

    def mixed(images, labels, seeds):
        images, labels = _mix(images, labels, seeds[0], config.augment)
        begin, end = stream.worker_slice(config.batch_size, worker)
        return images[begin:end], labels[begin:end]

    steps = stream.training_steps(len(targets), config.batch_size, config.seed, start_step, part)
    examples = steps.unbatch().map(example, num_parallel_calls=tf.data.AUTOTUNE)
    batches = examples.batch(stream.worker_batch_size(config.batch_size, part), drop_remainder=True)
    batches = batches.map(mixed if mixes else lambda images, labels, _: (images, labels))
    return batches.prefetch(tf.data.AUTOTUNE)


def _mix(images, labels, seed, config: AugmentConfig):
    if not config.cutmix:
        return mix.mixup(images, labels, seed, config.mixup)
    if not config.mixup:
        return mix.cutmix(images, labels, seed, config.cutmix)
    return mix.mixup_or_cutmix(images, labels, seed, config.mixup, config.cutmix)


def evaluation_dataset(
    store: ImageStore,
    targets: np.ndarray,
    config: ClassifyConfig,
    worker: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """A worker's images once, in order: batches of (images, targets) as in training.

    Args:
        store, targets, config, worker: see `training_dataset`.
    """
    rows = tf.constant(targets, tf.float32)

    def example(index):
        return evaluation_image(store.load(index), config), rows[index]

    indices = stream.evaluation_examples(len(store), config.batch_size, worker)
    examples = indices.map(example, num_parallel_calls=tf.data.AUTOTUNE)
    return examples.batch(config.batch_size).prefetch(tf.data.AUTOTUNE)

"""Pictures to tf.data: one size, grey or colour, and all the noise that a step uses."""

import tensorflow as tf

from apps.generative.autoencoder.config import (
    DENOISING,
    VARIATIONAL,
    AutoencoderConfig,
    DataConfig,
)
from shared.common import stream
from shared.image import augment
from shared.image.colour import grey
from shared.image.image_store import ImageStore
from shared.image.resize import resize, resize_to_cover

# Makes the noise of the evaluation another one than that of the training.
EVALUATION = 1 << 30


def resized(image: tf.Tensor, options: DataConfig) -> tf.Tensor:
    """A picture in the model's size: uint8 (H, W, 3) to uint8 (S, S, 3)."""
    fit = resize_to_cover if options.resize == "cover" else resize
    return tf.cast(tf.round(fit(image, options.image_size)), tf.uint8)


def model_input(image: tf.Tensor, channels: int) -> tf.Tensor:
    """Levels of a resized picture, uint8 (S, S, 3), to float32 (S, S, C) in 0..1."""
    levels = tf.cast(image, tf.float32)
    if channels == 1:
        levels = tf.round(grey(levels))
    return levels / 255.0


def example(picture: tf.Tensor, seed: tf.Tensor, config: AutoencoderConfig) -> dict[str, tf.Tensor]:
    """The input of the model for a picture, with the noise that its kind asks for.

    Args:
        picture: float32 (S, S, C) in 0..1.
        seed: int32 (2,), the only source of randomness.
        config: of the run.

    Returns:
        "image" and "target", float32 (S, S, C); "epsilon", float32 (Z,), if variational.
    """
    x = {"image": picture, "target": picture}
    if config.model.kind == DENOISING:
        noise = tf.random.stateless_normal(picture.shape, seed)
        x["image"] = tf.clip_by_value(picture + config.loss.noise * noise, 0.0, 1.0)
    if config.model.kind == VARIATIONAL:
        x["epsilon"] = tf.random.stateless_normal((config.model.code,), seed)
    return x


def training_dataset(
    store: ImageStore,
    channels: int,
    config: AutoencoderConfig,
    start_step: int = 0,
    worker: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """Endless batches ({"image", "target", ...},), see `example`.

    Args:
        store: the resized training pictures.
        channels: int. C.
        config: of the run.
        start_step: int. Global step of the first batch.
        worker: (index, count).
    """
    options = config.data_options
    shape = (options.image_size, options.image_size, channels)

    def at(index, seed, step):
        flip_seed, noise_seed = tf.unstack(tf.random.split(seed, 2))
        image = store.load(index)
        if options.flip:
            image = augment.random_flip(image, flip_seed)
        picture = tf.ensure_shape(model_input(image, channels), shape)
        return (example(picture, noise_seed, config),)

    steps = stream.training_steps(len(store), config.batch_size, config.seed, start_step, worker)
    examples = steps.unbatch().map(at, num_parallel_calls=tf.data.AUTOTUNE)
    size = stream.worker_batch_size(config.batch_size, worker)
    return examples.batch(size, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def evaluation_dataset(
    store: ImageStore, channels: int, config: AutoencoderConfig, worker: tuple[int, int] = (0, 1)
) -> tf.data.Dataset:
    """A worker's pictures once, in order; the noise of a picture depends on its number alone.

    Args:
        store, channels, config, worker: see `training_dataset`.
    """
    options = config.data_options
    shape = (options.image_size, options.image_size, channels)

    def at(index):
        seed = tf.stack([config.seed ^ EVALUATION, tf.cast(index, tf.int32)])
        picture = tf.ensure_shape(model_input(store.load(index), channels), shape)
        return (example(picture, seed, config),)

    indices = stream.evaluation_examples(len(store), config.batch_size, worker)
    examples = indices.map(at, num_parallel_calls=tf.data.AUTOTUNE)
    return examples.batch(config.batch_size).prefetch(tf.data.AUTOTUNE)

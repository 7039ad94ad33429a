"""Real pictures and noise to tf.data; all that is random in a step comes from here."""

import numpy as np
import tensorflow as tf

from apps.generative.gan.config import DataConfig, GANConfig
from shared.common import stream
from shared.engine.saved_model.seeded_pictures import noise_of_seeds
from shared.image import augment
from shared.image.image_store import ImageStore
from shared.image.levels import from_levels
from shared.image.resize import resize, resize_to_cover

# ITU-R BT.601
LUMA = (0.299, 0.587, 0.114)
# Pictures on the walk from one seed to the next one, and such walks.
WALK_STEPS, WALKS = 8, 4


def resized(image: tf.Tensor, options: DataConfig) -> tf.Tensor:
    """A picture at the size of training: uint8 (H, W, 3) to uint8 (S, S, 3)."""
    change = resize_to_cover if options.resize == "cover" else resize
    return tf.cast(tf.round(change(image, options.image_size)), tf.uint8)


def with_channels(image: tf.Tensor, channels: int) -> tf.Tensor:
    """uint8 (..., 3) as it is, or grey: uint8 (..., 1)."""
    if channels == 3:
        return image
    grey = tf.reduce_sum(tf.cast(image, tf.float32) * LUMA, axis=-1, keepdims=True)
    return tf.cast(tf.round(grey), tf.uint8)


def draw_noise(seed: tf.Tensor, config: GANConfig) -> tf.Tensor:
    """The noise of a fake in training, float32 (Z,), from an int32 (2,) seed."""
    size = (config.model.latent_dim,)
    if config.model.noise == "uniform":
        return tf.random.stateless_uniform(size, seed, minval=-1.0)
    return tf.random.stateless_normal(size, seed)


def training_dataset(
    store: ImageStore,
    labels: np.ndarray | None,
    channels: int,
    config: GANConfig,
    start_step: int = 0,
    worker: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """Endless batches {name: (b, critic_steps, ...)}, with the names that `GAN` says.

    Args:
        store: the pictures.
        labels: int (n,), their classes; None without.
        channels: int. 1 or 3.
        config: of the run.
        start_step: int. Global step of the first batch.
        worker: (index, count).
    """
    side, critic_steps = config.data_options.image_size, config.objective.critic_steps

    def example(index, seed, step):
        flip, latent, generator_latent, mix = tf.unstack(tf.random.split(seed, 4))
        image = with_channels(store.load(index), channels)
        if config.data_options.flip:
            image = augment.random_flip(image, flip)
        row = {
            "image": tf.ensure_shape(from_levels(image), (side, side, channels)),
            "latent": draw_noise(latent, config),
            "generator_latent": draw_noise(generator_latent, config),
            "mix": tf.random.stateless_uniform((), mix),
        }
        return row if labels is None else row | {"label": tf.constant(labels, tf.int32)[index]}

    steps = stream.training_steps(
        len(store), config.batch_size, config.seed, start_step, worker, critic_steps
    )
    examples = steps.unbatch().map(example, num_parallel_calls=tf.data.AUTOTUNE)
    rows = examples.batch(critic_steps, drop_remainder=True)
    size = stream.worker_batch_size(config.batch_size, worker)
    return rows.batch(size, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def evaluation_dataset(
    classes: int, config: GANConfig, worker: tuple[int, int] = (0, 1)
) -> tf.data.Dataset:
    """A worker's noise of the pictures that are judged: ({"latent", "label" with classes},).

    First that of the seeds 1, 2, ... as `kerasuite gan sample` takes it, then the walks.

    Args:
        classes: int. Number of classes that were learnt; 0 without.
        config: of the run.
        worker: (index, count).
    """
    model, samples = config.model, config.evaluation.samples
    seeds = np.arange(1, samples + 1)
    latents = noise_of_seeds(tf.constant(seeds, tf.int64), model.latent_dim, model.noise)
    ends = latents[: WALKS + 1]
    walks = [interpolated(ends[i], ends[i + 1], WALK_STEPS, model.noise) for i in range(WALKS)]
    latents = tf.concat([latents, *walks], axis=0)
    rows = {"latent": latents}
    if classes:
        # A walk keeps its class.
        labels = np.concatenate([seeds % classes, np.repeat(seeds[:WALKS] % classes, WALK_STEPS)])
        rows["label"] = tf.constant(labels, tf.int32)

    def example(index):
        return ({name: values[index] for name, values in rows.items()},)

    indices = stream.evaluation_examples(len(latents), config.batch_size, worker)
    return indices.map(example).batch(config.batch_size).prefetch(tf.data.AUTOTUNE)


def interpolated(start: tf.Tensor, end: tf.Tensor, count: int, noise: str) -> tf.Tensor:
    """Noise on the way between two, (count, Z), both ends included.

    Normal noise goes along the great circle, where its length stays usual
    ([White, 2016](https://arxiv.org/abs/1609.04468)); uniform noise straight.

    Args:
        start, end: float (Z,).
        count: int.
        noise: "normal" or "uniform".
    """
    part = tf.linspace(0.0, 1.0, count)[:, tf.newaxis]
    if noise == "uniform":
        return (1 - part) * start + part * end
    cosine = tf.reduce_sum(start * end) / (tf.norm(start) * tf.norm(end))
    angle = tf.acos(tf.clip_by_value(cosine, -0.9999, 0.9999))
    return (tf.sin((1 - part) * angle) * start + tf.sin(part * angle) * end) / tf.sin(angle)

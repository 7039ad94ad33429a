"""Eight Gaussians on a ring: how many of them does a GAN draw?"""

import keras
import numpy as np
import tensorflow as tf

from apps.generative.gan.build import build_gan
from apps.generative.gan.config import ModelConfig, ObjectiveConfig
from shared.engine.training.train_step import build_train_step, prepare_optimizer

MODES, RADIUS, DEVIATION = 8, 0.7, 0.014
SHAPE = (1, 1, 2)  # a point as a picture of one pixel with two channels
LATENT, BATCH = 16, 256
# A sample within so many deviations of a centre is of its mode.
NEAR = 4.0
# A mode that gets less than this part of its fair share is not covered.
LEAST_SHARE = 0.2
MODEL = ModelConfig(
    architecture="mlp", latent_dim=LATENT, hidden_dim=128, discriminator_dim=128, maxout=1
)


def centres() -> np.ndarray:
    """(8, 2)"""
    angles = 2 * np.pi * np.arange(MODES) / MODES
    return RADIUS * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def batches(seed: int, steps: int) -> tf.data.Dataset:
    """Real points and noise, as `GAN` takes them with one step of the discriminator."""
    places = tf.constant(centres(), tf.float32)

    def at(step):
        seeds = tf.unstack(tf.random.split(tf.stack([tf.constant(seed, tf.int64), step]), 4))
        mode = tf.random.stateless_uniform((BATCH,), seeds[0], 0, MODES, tf.int32)
        points = tf.gather(places, mode)
        points += DEVIATION * tf.random.stateless_normal((BATCH, 2), seeds[1])
        noise = [tf.random.stateless_normal((BATCH, 1, LATENT), each) for each in seeds[2:]]
        return {
            "image": tf.reshape(points, (BATCH, 1, *SHAPE)),
            "latent": noise[0],
            "generator_latent": noise[1],
        }

    return tf.data.Dataset.range(steps).map(at, num_parallel_calls=1).prefetch(8)


def trained(seed: int, steps: int, rate: float = 1e-3, **objective) -> keras.Model:
    """A GAN after some steps.

    Args:
        seed: int. Of the weights and the data.
        steps: int.
        rate: float. Learning rate of the generator.
        **objective: leaves of `ObjectiveConfig`.
    """
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    objective = ObjectiveConfig(**objective)
    model = build_gan(MODEL, objective, SHAPE)
    rates = {"generator": rate, "discriminator": rate * objective.discriminator_rate}
    optimizers = {name: keras.optimizers.Adam(value, 0.5) for name, value in rates.items()}
    model.compile(optimizers, critic_steps=1)
    prepare_optimizer(model)
    step = build_train_step(model, tf.distribute.get_strategy(), None)
    for batch in batches(seed, steps):
        step(batch)
    return model


def covered(model: keras.Model, count: int = 2000) -> tuple[int, float]:
    """Number of modes that samples cover, and the share of samples that are near any mode."""
    latent = tf.random.stateless_normal((count, LATENT), (1, 2))
    points = model({"latent": latent}).numpy().reshape(count, 2)
    apart = np.linalg.norm(points[:, np.newaxis] - centres(), axis=-1)
    near = apart.min(axis=1) < NEAR * DEVIATION
    shares = np.bincount(apart.argmin(axis=1)[near], minlength=MODES) / count
    return int((shares > LEAST_SHARE / MODES).sum()), float(near.mean())

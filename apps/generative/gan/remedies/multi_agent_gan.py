"""MAD-GAN: several generators, which the discriminator tells apart."""

import itertools
import math

import keras
import tensorflow as tf
from keras import ops

from apps.generative.gan.config import ModelConfig, ObjectiveConfig
from apps.generative.gan.gan import GAN
from apps.generative.gan.networks.build import build_generator
from shared.common.config import from_dict


@keras.saving.register_keras_serializable(package="kerasuite")
class MultiAgentGAN(GAN):
    """Several generators against a discriminator that names the one that made a picture.

    The discriminator has a logit for each generator and one for real pictures. To be named well,
    the generators have to differ, so that each takes modes of its own; a penalty on the cosine
    between what they make of the same noise drives them further apart.

    A picture is made by the generator that the first number of its noise chooses.

    Args:
        config: ModelConfig. Each generator, and the discriminator.
        objective: ObjectiveConfig, with `generators` and `similarity`.
        shape: (side, side, channels) of the pictures.
        classes: int. Number of classes to learn; 0 without.
        synchronized: bool. Batch statistics over all replicas.

    Reference: [Ghosh et al., 2018](https://arxiv.org/abs/1704.02906)
    """

    def __init__(self, config, objective, shape, classes=0, synchronized=False, **kwargs):
        config, objective = from_dict(ModelConfig, config), from_dict(ObjectiveConfig, objective)
        count = objective.generators
        super().__init__(
            config, objective, shape, classes, synchronized, outputs=count + 1,
            generators=[
                build_generator(config, shape, classes, synchronized, name=f"generator_{number}")
                for number in range(1, count + 1)
            ],
            **kwargs,
        )  # fmt: skip

    def generate(self, latent, label=None, training=False):
        made = self.of_all(latent, label, training)
        return tf.gather(made, chosen_generator(latent, len(self.generators)), batch_dims=1)

    def of_all(self, latent, label=None, training=False):
        """The picture that each generator makes of the noise: (B, generators, S, S, C)."""
        inputs = [latent, *self._one_hot(label)]
        return ops.stack([make(inputs, training=training) for make in self.generators], axis=1)

    def generator_losses(self, batch):
        fakes = self.of_all(batch["generator_latent"], batch.get("label"), training=True)
        scores = self._scores_of_fakes(fakes, batch.get("label"))
        terms = {"adversarial": -ops.mean(scores[:, :, len(self.generators)])}
        if self.objective.similarity:
            terms["similarity"] = self.objective.similarity * mean_cosine(fakes)
        return terms, fakes

    def make_fakes(self, batch):
        return self.of_all(batch["latent"], batch.get("label"), training=True)

    def discriminator_losses(self, batch, fakes):
        """Cross-entropies of naming each generator by its pictures, and reality by real ones."""
        label, count = batch.get("label"), len(self.generators)
        scores = self._scores_of_fakes(fakes, label)
        named = [ops.mean(scores[:, number, number]) for number in range(count)]
        real = ops.log_softmax(self.judge(batch["image"], label), axis=-1)[:, count]
        return {"discriminator": -(ops.sum(ops.stack(named)) + ops.mean(real))}

    def _scores_of_fakes(self, fakes, label):
        """Log-probabilities (B, generators, generators + 1) that each maker made each fake."""
        count = len(self.generators)
        flat = ops.reshape(fakes, (-1, *self.shape))
        labels = None if label is None else ops.repeat(label, count)
        logits = self.judge(flat, labels)
        return ops.reshape(ops.log_softmax(logits, axis=-1), (-1, count, count + 1))


def chosen_generator(latent: tf.Tensor, count: int) -> tf.Tensor:
    """Which of `count` generators makes a picture: digits far behind the point choose it.

    Args:
        latent: float (B, Z).
        count: int.

    Returns:
        int32 (B,).
    """
    # By a power of two: exact, and so the same on every machine.
    digits = tf.abs(latent[:, 0]) * 4096.0
    return tf.cast((digits - tf.floor(digits)) * count, tf.int32)


def mean_cosine(made):
    """Mean cosine between what different generators made of the same noise.

    Args:
        made: float (B, generators, ...).

    Returns:
        Scalar in -1..1.
    """
    flat = ops.reshape(made, (-1, made.shape[1], math.prod(made.shape[2:])))
    unit = flat / ops.sqrt(ops.sum(ops.square(flat), axis=-1, keepdims=True) + 1e-12)
    pairs = itertools.combinations(range(made.shape[1]), 2)
    cosines = [ops.sum(unit[:, one] * unit[:, other], axis=-1) for one, other in pairs]
    return ops.mean(ops.stack(cosines))

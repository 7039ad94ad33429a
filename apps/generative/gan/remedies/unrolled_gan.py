"""Unrolled GAN: the generator looks some steps of the discriminator ahead."""

import keras
import tensorflow as tf

from apps.generative.gan.gan import GAN
from shared.engine.distribution.all_reduce import sum_over_replicas
from shared.engine.training.gan_model import row_count
from shared.losses.adversarial_loss import discriminator_loss, generator_loss, real_loss


@keras.saving.register_keras_serializable(package="kerasuite")
class UnrolledGAN(GAN):
    """A GAN whose generator is trained against the discriminator of some steps later.

    The generator's gradient goes through these steps, of plain gradient descent: a generator that
    puts all its pictures in one place sees what the discriminator will make of it. The
    discriminator itself takes its usual step.

    Args:
        *args, **kwargs: as for `GAN`; `objective` has `unrolled_steps` and `unrolled_rate`.

    Reference: [Metz et al., 2017](https://arxiv.org/abs/1611.02163)
    """

    def generator_losses(self, batch):
        label = batch.get("label")
        fakes = self.generate(batch["generator_latent"], label, training=True)
        return {"adversarial": self.unrolled_loss(batch["image"], fakes, label)}, fakes

    def unrolled_loss(self, image, fakes, label=None) -> tf.Tensor:
        """The generator's loss after the steps of the discriminator; with `vanilla` the paper's.

        What the discriminator makes of real pictures depends on the fakes too, through its steps.

        Args:
            image, fakes: float (B, S, S, C); the gradient flows through the fakes.
            label: int (B,) with classes.
        """
        weights, kind = self.unrolled_weights(image, fakes, label), self.objective.loss
        real, fake = (self.judge(x, label, weights) for x in (image, fakes))
        return generator_loss(kind, fake) - real_loss(kind, real)

    def unrolled_weights(self, image, fakes, label=None) -> list[tf.Tensor]:
        """The discriminator's weights after `unrolled_steps` steps.

        Args:
            image, fakes: float (B, S, S, C); the gradient flows through the fakes.
            label: int (B,) with classes.
        """
        weights = [weight.value for weight in self.discriminator.trainable_variables]
        weights = [tf.convert_to_tensor(weight) for weight in weights]
        count = row_count(image)
        share = count / sum_over_replicas(count)
        for _ in range(self.objective.unrolled_steps):
            with tf.GradientTape() as tape:
                tape.watch(weights)
                real, fake = (self.judge(x, label, weights) for x in (image, fakes))
                loss = share * discriminator_loss(self.objective.loss, real, fake)
            gradients = sum_over_replicas(tape.gradient(loss, weights))
            weights = [
                weight - self.objective.unrolled_rate * gradient
                for weight, gradient in zip(weights, gradients, strict=True)
            ]
        return weights

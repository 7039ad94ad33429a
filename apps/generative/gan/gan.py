"""Generator against discriminator, on pictures with or without classes."""

from collections.abc import Sequence

import keras
import tensorflow as tf
from keras import ops

from apps.generative.gan.config import ModelConfig, ObjectiveConfig
from apps.generative.gan.networks.build import build_discriminator, build_generator
from shared.common.config import from_dict, to_dict
from shared.engine.training.gan_model import GANModel, input_gradient
from shared.image.levels import to_levels
from shared.losses.adversarial_loss import discriminator_loss, generator_loss
from shared.losses.gradient_penalty import gradient_penalty


@keras.saving.register_keras_serializable(package="kerasuite")
class GAN(GANModel):
    """Pictures from noise, by a generator that a discriminator cannot tell from real ones.

    Batches of training, of (B, critic_steps, ...) each:

        image               float (S, S, C) in -1..1, a real picture
        label               int (), its class, with classes
        latent              float (Z,), noise of the fake that the discriminator sees
        generator_latent    float (Z,), noise of the generator's own step
        mix                 float () in [0, 1), the weight of the real picture in the penalty

    Args:
        config: ModelConfig. Both networks.
        objective: ObjectiveConfig. The game.
        shape: (side, side, channels) of the pictures.
        classes: int. Number of classes to learn; 0 without.
        synchronized: bool. Batch statistics over all replicas.
        outputs: int. Logits of the discriminator, of subclasses.
        generators: built ones, of subclasses that have several.
        encoders: networks that are trained with the generators, of subclasses.

    Call arguments:
        x: {"latent": float (B, Z), "label": int (B,) with classes}.

    Returns:
        float32 (B, S, S, C) in -1..1.

    Reference: [Goodfellow et al., 2014](https://arxiv.org/abs/1406.2661);
    [Mirza and Osindero, 2014](https://arxiv.org/abs/1411.1784) for classes
    """

    def __init__(
        self,
        config: ModelConfig | dict,
        objective: ObjectiveConfig | dict,
        shape: tuple[int, int, int],
        classes: int = 0,
        synchronized: bool = False,
        outputs: int = 1,
        generators: Sequence[keras.Model] = (),
        encoders: Sequence[keras.Model] = (),
        **kwargs,
    ):
        config = from_dict(ModelConfig, config)
        generators = generators or [build_generator(config, shape, classes, synchronized)]
        discriminator = build_discriminator(config, shape, classes, outputs, synchronized)
        super().__init__([*generators, *encoders], [discriminator], **kwargs)
        self.config, self.objective = config, from_dict(ObjectiveConfig, objective)
        self.shape, self.classes, self.synchronized = tuple(shape), classes, synchronized
        self.generators, self.discriminator = list(generators), discriminator
        self.built = True

    def call(self, x, training=False):
        return self.generate(x["latent"], x.get("label"), training)

    def generate(self, latent, label=None, training=False):
        """Pictures of noise; `label` of (B,) with classes."""
        return self.generators[0]([latent, *self._one_hot(label)], training=training)

    def judge(self, image, label=None, weights=None):
        """The discriminator's logits (B, outputs) of pictures in training.

        Args:
            image: float (B, S, S, C).
            label: int (B,) with classes.
            weights: other values of its trainable variables; by default their own.
        """
        inputs = [image, *self._one_hot(label)]
        if weights is None:
            return self.discriminator(inputs, training=True)
        fixed = [variable.value for variable in self.discriminator.non_trainable_variables]
        logits, _ = self.discriminator.stateless_call(weights, fixed, inputs, training=True)
        return logits

    def _one_hot(self, label) -> list:
        return [ops.one_hot(label, self.classes)] if self.classes else []

    # === Training ===

    def generator_losses(self, batch):
        label = batch.get("label")
        fakes = self.generate(batch["generator_latent"], label, training=True)
        adversarial = generator_loss(self.objective.loss, self.judge(fakes, label))
        return {"adversarial": adversarial}, fakes

    def make_fakes(self, batch):
        return self.generate(batch["latent"], batch.get("label"), training=True)

    def discriminator_losses(self, batch, fakes):
        image, label, kind = batch["image"], batch.get("label"), self.objective.loss
        judged = discriminator_loss(kind, self.judge(image, label), self.judge(fakes, label))
        terms = {"discriminator": judged}
        if self.objective.constraint == "penalty":
            slope = input_gradient(lambda mixed: self.judge(mixed, label))
            penalty = gradient_penalty(slope, image, fakes, batch["mix"])
            terms["penalty"] = self.objective.penalty * penalty
        return terms

    def after_discriminator_step(self):
        if self.objective.constraint == "clip":
            largest = self.objective.clip
            for weight in self.discriminator.trainable_variables:
                weight.assign(tf.clip_by_value(weight.value, -largest, largest))

    # === Evaluation ===

    def predictions(self, x, outputs):
        """uint8 (B, S, S, C)."""
        return to_levels(outputs)

    # === Saving ===

    def get_config(self):
        return {
            "name": self.name,
            "config": to_dict(self.config),
            "objective": to_dict(self.objective),
            "shape": list(self.shape),
            "classes": self.classes,
            "synchronized": self.synchronized,
        }

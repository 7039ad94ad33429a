"""CycleGAN: two generators, two discriminators and their losses.

A letter in a name is the domain of the picture: `fake_b` was made of a picture of A, and
`discriminator_b` judges pictures of B.
"""

import keras
from keras import ops

from apps.generative.cyclegan.config import LossConfig, ModelConfig
from apps.generative.cyclegan.image_pool import ImagePool
from apps.generative.cyclegan.patch_discriminator import build_patch_discriminator
from apps.generative.cyclegan.resnet_generator import build_resnet_generator
from shared.common.config import from_dict, to_dict
from shared.engine.training.gan_model import GANModel, input_gradient
from shared.image.levels import to_levels
from shared.losses.adversarial_loss import discriminator_loss, generator_loss
from shared.losses.gradient_penalty import gradient_penalty

# Columns of a batch's "draws": uniform random numbers in [0, 1), all that a step uses.
POOL_A, POOL_B, MIX_A, MIX_B = slice(0, 2), slice(2, 4), 4, 5
DRAWS = 6


@keras.saving.register_keras_serializable(package="kerasuite")
class CycleGAN(GANModel):
    """Translation between two domains of images without pairs.

    Args:
        config: ModelConfig. The networks.
        loss: LossConfig. The objective.
        image_size: int. Side of the training images, for the pools.

    Call arguments:
        x: {"a": float (B, H, W, 3), "b": float (B, H, W, 3)} in -1..1, real images.

    Returns:
        Dict of float32 (B, H, W, 3): "fake_a", "fake_b", "cycled_a", "cycled_b", "same_a",
        "same_b". With one side, those that its generator makes; in training without identity
        losses, no "same_a" and "same_b".

    Reference: [Zhu et al., 2017](https://arxiv.org/abs/1703.10593)
    """

    def __init__(
        self,
        config: ModelConfig | dict,
        loss: LossConfig | dict,
        image_size: int,
        **kwargs,
    ):
        config, loss = from_dict(ModelConfig, config), from_dict(LossConfig, loss)
        network = (config.width, config.blocks, config.upsampling, config.residual)
        a2b = build_resnet_generator(*network, name="a2b")
        b2a = build_resnet_generator(*network, name="b2a")
        width = config.discriminator_width
        discriminators = [build_patch_discriminator(width, name="discriminator_b")]
        if loss.sides == "both":
            discriminators.append(build_patch_discriminator(width, name="discriminator_a"))
        super().__init__([a2b, b2a], discriminators, **kwargs)
        self.config, self.loss_config, self.image_size = config, loss, image_size
        self.a2b, self.b2a = a2b, b2a
        self.discriminator_b = discriminators[0]
        self.discriminator_a = discriminators[-1] if loss.sides == "both" else None
        shape = (image_size, image_size, 3)
        self.pool_a = ImagePool(loss.pool_size, shape, name="pool_a")
        self.pool_b = ImagePool(loss.pool_size, shape, name="pool_b")
        self.built = True

    @property
    def both_sides(self) -> bool:
        return self.loss_config.sides == "both"

    @property
    def identity_weight(self) -> float:
        return self.loss_config.cycle * self.loss_config.identity

    def call(self, x, training=False):
        real_a, real_b = x["a"], x["b"]
        fake_b = self.a2b(real_a)
        outputs = {"fake_b": fake_b, "cycled_a": self.b2a(fake_b)}
        if self.both_sides:
            fake_a = self.b2a(real_b)
            outputs |= {"fake_a": fake_a, "cycled_b": self.a2b(fake_a)}
        # Evaluation measures the identity error of every model.
        if self.identity_weight or not training:
            outputs["same_b"] = self.a2b(real_b)
            if self.both_sides:
                outputs["same_a"] = self.b2a(real_a)
        return outputs

    # === Training ===

    def generator_losses(self, batch):
        """Adversarial, cycle and identity losses; of the last none where they weigh nothing."""
        made = self.call(batch, training=True)
        cycle, identity = self.loss_config.cycle, self.identity_weight
        terms = {
            "adversarial_b": self._generator_loss(self.discriminator_b, made["fake_b"]),
            "cycle_a": cycle * l1(made["cycled_a"], batch["a"]),
        }
        if self.both_sides:
            terms |= {
                "adversarial_a": self._generator_loss(self.discriminator_a, made["fake_a"]),
                "cycle_b": cycle * l1(made["cycled_b"], batch["b"]),
            }
        for side in ("a", "b"):
            if f"same_{side}" in made:
                terms[f"identity_{side}"] = identity * l1(made[f"same_{side}"], batch[side])
        return terms, {name: made[name] for name in ("fake_a", "fake_b") if name in made}

    def fakes_to_judge(self, batch, fakes):
        """Exchanges some of the newest fakes for older ones."""
        fakes = dict(fakes)
        fakes["fake_b"] = self.pool_b.exchange(fakes["fake_b"], batch["draws"][:, POOL_B])
        if self.both_sides:
            fakes["fake_a"] = self.pool_a.exchange(fakes["fake_a"], batch["draws"][:, POOL_A])
        return fakes

    def discriminator_losses(self, batch, fakes):
        """The adversarial losses of the discriminators."""
        draws = batch["draws"]
        terms = {
            "discriminator_b": self._discriminator_loss(
                self.discriminator_b, batch["b"], fakes["fake_b"], draws[:, MIX_B]
            )
        }
        if self.both_sides:
            terms["discriminator_a"] = self._discriminator_loss(
                self.discriminator_a, batch["a"], fakes["fake_a"], draws[:, MIX_A]
            )
        return terms

    def training_state(self):
        return [self.pool_a, self.pool_b]

    def _generator_loss(self, discriminator, fake):
        return generator_loss(self.loss_config.adversarial, discriminator(fake))

    def _discriminator_loss(self, discriminator, real, fake, mix):
        kind = self.loss_config.adversarial
        loss = discriminator_loss(kind, discriminator(real), discriminator(fake))
        if kind != "wasserstein":
            # Half, so that the discriminator learns at half the generator's speed.
            return 0.5 * loss
        penalty = gradient_penalty(input_gradient(discriminator), real, fake, mix)
        return loss + self.loss_config.gradient_penalty * penalty

    # === Evaluation ===

    def predictions(self, x, outputs):
        """Pictures as levels, and the mean L1 error of each in -1..1.

        Returns:
            The outputs and the real images as uint8 (B, H, W, 3); "cycle_l1_a", "identity_l1_b"
            and so on, float32 (B,); "has_a" and "has_b" as they are.
        """
        pictures = {"real_a": x["a"], "real_b": x["b"], **outputs}
        found = {name: to_levels(picture) for name, picture in pictures.items()}
        found |= {name: x[name] for name in ("has_a", "has_b")}
        for measure, made in (("cycle_l1", "cycled"), ("identity_l1", "same")):
            for side in ("a", "b"):
                if f"{made}_{side}" in outputs:
                    error = ops.abs(outputs[f"{made}_{side}"] - x[side])
                    found[f"{measure}_{side}"] = ops.mean(error, axis=(1, 2, 3))
        return found

    # === Saving ===

    def get_config(self):
        return {
            "name": self.name,
            "config": to_dict(self.config),
            "loss": to_dict(self.loss_config),
            "image_size": self.image_size,
        }


def l1(one, other):
    """Mean absolute difference."""
    return ops.mean(ops.abs(one - other))

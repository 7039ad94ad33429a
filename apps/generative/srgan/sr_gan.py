"""Stage 2: the generator against a discriminator, held to the truth by a content loss."""

from collections.abc import Callable

import keras

from apps.generative.srgan.config import LossConfig, SrganConfig
from apps.generative.srgan.content_features import content_loss
from apps.generative.srgan.generator import as_levels, generator_layers, pixel_error
from apps.generative.srgan.srgan_discriminator import build_discriminator
from shared.engine.training.gan_model import GANModel
from shared.losses.adversarial_loss import discriminator_loss, generator_loss


@keras.saving.register_keras_serializable(package="kerasuite")
class SRGAN(GANModel):
    """Generator and discriminator of super-resolution, and what each minimises.

    The generator: content loss, which keeps what is in the picture, plus a small adversarial
    loss, which makes it look like a photograph. Batches are (low, high): float32 images
    (B, h, w, 3) and (B, s h, s w, 3) in 0..255.

    Args:
        generator: keras.Model, (B, h, w, 3) to (B, s h, s w, 3).
        discriminator: keras.Model, (B, s h, s w, 3) to logits (B, 1).

    Attributes:
        content: function of (truth, made) to the content loss, a scalar.
        loss_config: the weights of the terms.

    Reference: [Ledig et al., 2017](https://arxiv.org/abs/1609.04802), section 2.2
    """

    content: Callable = staticmethod(lambda truth, made: pixel_error(truth, made, "l2"))
    loss_config = LossConfig()

    def __init__(self, generator, discriminator, **kwargs):
        super().__init__([generator], [discriminator], **kwargs)
        self.generator, self.discriminator = generator, discriminator
        self.built = True

    def call(self, inputs, training=None):
        return self.generator(inputs, training=training)

    def generator_losses(self, batch):
        low, high = batch
        made = self.generator(low, training=True)
        weights = self.loss_config
        terms = {"content": weights.content_weight * self.content(high, made)}
        if weights.pixel_weight:
            terms["pixel"] = weights.pixel_weight * pixel_error(high, made, weights.pixel_loss)
        judged = self._more_real(made, high)
        terms["adversarial"] = weights.adversarial_weight * generator_loss("vanilla", judged)
        return terms, made

    def discriminator_losses(self, batch, fakes):
        _, high = batch
        if self.loss_config.relativistic:
            return {"discriminator": generator_loss("vanilla", self._more_real(high, fakes))}
        real, fake = (self.discriminator(images, training=True) for images in (high, fakes))
        return {"discriminator": discriminator_loss("vanilla", real, fake)}

    def _more_real(self, images, others):
        """Logits that `images` are real; with the relativistic loss, more so than `others`.

        Reference: [Jolicoeur-Martineau, 2018](https://arxiv.org/abs/1807.00734), in pairs
        """
        logits = self.discriminator(images, training=True)
        if self.loss_config.relativistic:
            logits = logits - self.discriminator(others, training=True)
        return logits

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """In validation only: the pixel error, which whole images of any size have."""
        return pixel_error(y, y_pred, self.loss_config.pixel_loss)

    def predictions(self, x, y_pred):
        """uint8 images for the evaluator."""
        return as_levels(y_pred)

    def get_config(self):
        networks = {"generator": self.generator, "discriminator": self.discriminator}
        saved = {name: keras.saving.serialize_keras_object(n) for name, n in networks.items()}
        return {"name": self.name, **saved}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        names = ("generator", "discriminator")
        networks = [keras.saving.deserialize_keras_object(config[name]) for name in names]
        return cls(*networks, name=config["name"])


def build_sr_gan(config: SrganConfig, synchronized: bool = False) -> SRGAN:
    """Both networks that a configuration describes, with their losses."""
    model = config.model
    generator = keras.Model(*generator_layers(model, synchronized), name="generator")
    discriminator = build_discriminator(
        config.data_options.crop_size,
        model.discriminator_width,
        model.discriminator_dense,
        synchronized,
    )
    gan = SRGAN(generator, discriminator, name="sr_gan")
    gan.content = content_loss(config.loss)
    gan.loss_config = config.loss
    return gan

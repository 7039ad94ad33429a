"""Stage 2: the generator against a discriminator, with a content loss."""

import keras

from apps.generative.srgan.config import LossConfig, ModelConfig
from apps.generative.srgan.content_features import ContentLoss
from apps.generative.srgan.generator import as_levels, build_generator, pixel_error
from apps.generative.srgan.srgan_discriminator import build_discriminator
from shared.common.config import from_dict, to_dict
from shared.engine.training.gan_model import GANModel
from shared.losses.adversarial_loss import discriminator_loss, generator_loss


@keras.saving.register_keras_serializable(package="kerasuite")
class SRGAN(GANModel):
    """Generator and discriminator of super-resolution, and their losses.

    The generator minimises a content loss and a small adversarial loss, which makes its images
    look like photographs. Batches are (low, high): float32 images
    (B, h, w, 3) and (B, s h, s w, 3) in 0..255.

    Args:
        config: ModelConfig. Both networks.
        loss: LossConfig. The terms and their weights.
        crop_size: int. Side in pixels of the crops that the discriminator judges.
        synchronized: bool. Batch statistics over all replicas.

    Attributes:
        generator: keras.Model, (B, h, w, 3) to (B, s h, s w, 3).
        discriminator: keras.Model, (B, s h, s w, 3) to logits (B, 1).
        content: function of (truth, made) to the content loss, a scalar. Its feature network is
            no part of the model, so that what trains the model gives it; see `content_loss`.

    Reference: [Ledig et al., 2017](https://arxiv.org/abs/1609.04802), section 2.2
    """

    content: ContentLoss | None = None

    def __init__(
        self,
        config: ModelConfig | dict,
        loss: LossConfig | dict,
        crop_size: int,
        synchronized: bool = False,
        **kwargs,
    ):
        config = from_dict(ModelConfig, config)
        generator = build_generator(config, synchronized)
        discriminator = build_discriminator(
            crop_size, config.discriminator_width, config.discriminator_dense, synchronized
        )
        super().__init__([generator], [discriminator], **kwargs)
        self.config, self.loss_config = config, from_dict(LossConfig, loss)
        self.crop_size, self.synchronized = crop_size, synchronized
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
        terms["adversarial"] = weights.adversarial_weight * generator_loss("non-saturating", judged)
        return terms, made

    def discriminator_losses(self, batch, fakes):
        _, high = batch
        if self.loss_config.relativistic:
            return {"discriminator": generator_loss("non-saturating", self._more_real(high, fakes))}
        real, fake = (self.discriminator(images, training=True) for images in (high, fakes))
        return {"discriminator": discriminator_loss("non-saturating", real, fake)}

    def _more_real(self, images, others):
        """Logits that `images` are real; with the relativistic loss, more so than `others`.

        Reference: [Jolicoeur-Martineau, 2018](https://arxiv.org/abs/1807.00734), in pairs
        """
        logits = self.discriminator(images, training=True)
        if self.loss_config.relativistic:
            logits = logits - self.discriminator(others, training=True)
        return logits

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The pixel error, of whole images of any size; for validation only."""
        return pixel_error(y, y_pred, self.loss_config.pixel_loss)

    def predictions(self, x, y_pred):
        """uint8 images for the evaluator."""
        return as_levels(y_pred)

    def get_config(self):
        return {
            "name": self.name,
            "config": to_dict(self.config),
            "loss": to_dict(self.loss_config),
            "crop_size": self.crop_size,
            "synchronized": self.synchronized,
        }

"""MRGAN: an encoder leads the generator to all real pictures."""

import keras
from keras import ops

from apps.generative.gan.config import ModelConfig
from apps.generative.gan.gan import GAN
from apps.generative.gan.networks.build import build_discriminator
from shared.common.config import from_dict
from shared.losses.adversarial_loss import generator_loss


@keras.saving.register_keras_serializable(package="kerasuite")
class ModeRegularizedGAN(GAN):
    """A GAN that must also draw each real picture, from the noise that an encoder finds for it.

    The encoder is trained with the generator: on the squared error of the picture that is drawn
    again, and on the discriminator's opinion of it, so that no mode of the data is left out.

    Args:
        config: ModelConfig. Generator and discriminator; the encoder is built like the latter.
        objective: ObjectiveConfig, with `reconstruction` and `missed_modes`.
        shape: (side, side, channels) of the pictures.
        classes: int. Number of classes to learn; 0 without.
        synchronized: bool. Batch statistics over all replicas.

    Reference: [Che et al., 2017](https://arxiv.org/abs/1612.02136), section 3.1
    """

    def __init__(self, config, objective, shape, classes=0, synchronized=False, **kwargs):
        config = from_dict(ModelConfig, config)
        encoder = build_discriminator(
            config, shape, classes, config.latent_dim, synchronized, name="encoder"
        )
        super().__init__(
            config, objective, shape, classes, synchronized, encoders=[encoder], **kwargs
        )
        self.encoder = encoder

    def generator_losses(self, batch):
        terms, fakes = super().generator_losses(batch)
        image, label = batch["image"], batch.get("label")
        code = self.encoder([image, *self._one_hot(label)], training=True)
        again = self.generate(code, label, training=True)
        error = ops.mean(ops.square(ops.cast(image, again.dtype) - again))
        believed = generator_loss(self.objective.loss, self.judge(again, label))
        terms["reconstruction"] = self.objective.reconstruction * error
        terms["missed_modes"] = self.objective.missed_modes * believed
        return terms, fakes

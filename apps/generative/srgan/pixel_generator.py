"""Stage 1: the generator alone, as near to the truth as possible, pixel by pixel."""

import keras

from apps.generative.srgan.config import LossConfig, ModelConfig
from apps.generative.srgan.generator import as_levels, build_generator, pixel_error
from shared.common.config import from_dict, to_dict


@keras.saving.register_keras_serializable(package="kerasuite")
class PixelGenerator(keras.Model):
    """A super-resolution network that learns from pixel differences.

    Args:
        config: ModelConfig. The network.
        loss: LossConfig. Of it the pixel loss.
        synchronized: bool. Batch statistics over all replicas.

    Call arguments:
        inputs: float tensor (B, h, w, 3), RGB in 0..255.

    Returns:
        float32 tensor (B, s h, s w, 3), RGB about 0..255.
    """

    def __init__(
        self,
        config: ModelConfig | dict,
        loss: LossConfig | dict,
        synchronized: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.config, self.loss_config = from_dict(ModelConfig, config), from_dict(LossConfig, loss)
        self.synchronized = synchronized
        self.generator = build_generator(self.config, synchronized)
        self.built = True

    def call(self, inputs, training=None):
        return self.generator(inputs, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Mean error over all pixels of the images y, (B, s h, s w, 3) in 0..255."""
        return pixel_error(y, y_pred, self.loss_config.pixel_loss)

    def predictions(self, x, y_pred):
        """uint8 images for the evaluator."""
        return as_levels(y_pred)

    def get_config(self):
        return {
            "name": self.name,
            "config": to_dict(self.config),
            "loss": to_dict(self.loss_config),
            "synchronized": self.synchronized,
        }

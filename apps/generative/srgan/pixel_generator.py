"""Stage 1: the generator alone, as near to the truth as possible, pixel by pixel."""

import keras

from apps.generative.srgan.config import SrganConfig
from apps.generative.srgan.generator import as_levels, generator_layers, pixel_error


@keras.saving.register_keras_serializable(package="kerasuite")
class PixelGenerator(keras.Model):
    """A super-resolution network that learns from pixel differences.

    The constructor takes inputs and outputs as every functional `keras.Model`; see
    `build_pixel_generator`.

    Call arguments:
        inputs: float tensor (B, h, w, 3), RGB in 0..255.

    Returns:
        float32 tensor (B, s h, s w, 3), RGB about 0..255.
    """

    pixel_loss = "l2"

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Mean error over all pixels of the images y, (B, s h, s w, 3) in 0..255."""
        return pixel_error(y, y_pred, self.pixel_loss)

    def predictions(self, x, y_pred):
        """uint8 images for the evaluator."""
        return as_levels(y_pred)


def build_pixel_generator(config: SrganConfig, synchronized: bool = False) -> PixelGenerator:
    """The network that a configuration describes, with its loss."""
    model = PixelGenerator(*generator_layers(config.model, synchronized), name="generator")
    model.pixel_loss = config.loss.pixel_loss
    return model

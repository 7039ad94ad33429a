"""Padding by mirrored pixels, so that a convolution sees no black frame."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerasuite")
class ReflectionPadding(keras.layers.Layer):
    """Mirrors the rows and columns next to each border, without repeating the border itself.

    Args:
        padding: int. Rows and columns added on every side; fewer than H and W.

    Call arguments:
        inputs: tensor (B, H, W, C).

    Returns:
        Tensor (B, H + 2 * padding, W + 2 * padding, C) of the same dtype.

    Reference: [Johnson et al., 2016](https://arxiv.org/abs/1603.08155), supplementary material
    """

    def __init__(self, padding: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.padding = padding

    def call(self, inputs):
        sides = (self.padding, self.padding)
        return ops.pad(inputs, ((0, 0), sides, sides, (0, 0)), mode="reflect")

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        height, width = (n if n is None else n + 2 * self.padding for n in (height, width))
        return (batch, height, width, channels)

    def get_config(self):
        return {**super().get_config(), "padding": self.padding}

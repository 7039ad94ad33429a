"""Bicubic enlargement by a whole factor, as a fixed sub-pixel convolution."""

import keras
import numpy as np
from keras import ops

REACH = 2  # Pixels on each side that a new pixel is made of.
TAPS = 2 * REACH + 1


@keras.saving.register_keras_serializable(package="kerasuite")
class BicubicUpsampling(keras.layers.Layer):
    """Enlarges as MATLAB's `imresize`, without rounding.

    Each of the r x r new pixels of a pixel has its own 5 x 5 weights, which are products of Keys'
    cubic (a = -0.5); beyond the border the image is mirrored. Nothing is trained.

    Args:
        scale: int. Factor r.

    Call arguments:
        inputs: float tensor (B, H, W, C); H and W of at least 2.

    Returns:
        Tensor (B, H * r, W * r, C) of the same dtype.

    Reference: [Keys, 1981](https://doi.org/10.1109/TASSP.1981.1163711)
    """

    def __init__(self, scale: int, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale

    def build(self, input_shape):
        """Nothing to build: the weights are constants."""

    def call(self, inputs):
        r, channels = self.scale, inputs.shape[-1]
        _, height, width, _ = ops.shape(inputs)
        around = ((0, 0), (REACH, REACH), (REACH, REACH), (0, 0))
        padded = ops.pad(inputs, around, mode="symmetric")
        kernel = ops.cast(ops.convert_to_tensor(_kernel(r, channels)), inputs.dtype)
        blocks = ops.depthwise_conv(padded, kernel, padding="valid")
        blocks = ops.reshape(blocks, (-1, height, width, channels, r, r))
        rows = ops.transpose(blocks, (0, 1, 4, 2, 5, 3))
        return ops.reshape(rows, (-1, height * r, width * r, channels))

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        height, width = (side if side is None else side * self.scale for side in (height, width))
        return (batch, height, width, channels)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


def _kernel(scale: int, channels: int) -> np.ndarray:
    """Depthwise kernel (5, 5, channels, scale**2)."""
    line = _line_weights(scale)
    both = np.einsum("ay,bx->yxab", line, line).reshape(TAPS, TAPS, 1, scale**2)
    return np.repeat(both, channels, axis=2).astype("float32")


def _line_weights(scale: int) -> np.ndarray:
    """Weights (scale, 5) of the old pixels -2 to 2 for each new pixel of pixel 0."""
    centres = (np.arange(scale) + 0.5) / scale - 0.5
    x = np.abs(centres[:, None] - np.arange(-REACH, REACH + 1))
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))

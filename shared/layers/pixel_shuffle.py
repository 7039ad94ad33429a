"""Sub-pixel convolution's last part: channels become pixels."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerasuite")
class PixelShuffle(keras.layers.Layer):
    """Rearranges channels into space (sub-pixel convolution).

    Channel `(dy * r + dx) * C + c` of a pixel becomes channel c of the pixel dy below and dx right
    in its r x r block, the order of TensorFlow's `depth_to_space`.

    Args:
        scale: int. Upsampling factor r; the channels must divide by r**2.

    Call arguments:
        inputs: float tensor (B, H, W, C * r**2).

    Returns:
        Tensor (B, H * r, W * r, C) of the same dtype.

    Raises:
        ValueError: if the channels do not divide by r**2.

    Reference: [Shi et al., 2016](https://arxiv.org/abs/1609.05158)
    """

    def __init__(self, scale: int, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale

    def build(self, input_shape):
        self._channels(input_shape)

    def call(self, inputs):
        _, height, width, _ = ops.shape(inputs)
        r, channels = self.scale, self._channels(inputs.shape)
        # A row of a block, its pixels beside each other, stays together: larger pieces to move.
        rows = ops.reshape(inputs, (-1, height, width, r, r * channels))
        rows = ops.transpose(rows, (0, 1, 3, 2, 4))
        return ops.reshape(rows, (-1, height * r, width * r, channels))

    def _channels(self, input_shape) -> int:
        channels, rest = divmod(input_shape[-1], self.scale**2)
        if rest:
            raise ValueError(f"{input_shape[-1]} channels do not divide by {self.scale}**2")
        return channels

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        height, width = (side if side is None else side * self.scale for side in (height, width))
        return (batch, height, width, self._channels(input_shape))

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}

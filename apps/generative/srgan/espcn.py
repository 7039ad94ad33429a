"""ESPCN, the fastest generator: three convolutions at low resolution and a sub-pixel layer."""

import keras

from apps.generative.srgan.output_image import add_output
from shared.layers import PixelShuffle

ESPCN_MARGIN = 2 + 1 + 1  # radius of the receptive field in pixels of the input


def build_espcn(
    scale: int, width: int = 64, residual: str = "none"
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """The paper's network, for the three colours at once instead of the luma alone.

    Args:
        scale: int. Factor s.
        width: int. Channels of the first layer; the second has half as many.
        residual: "none", or "bicubic": the output is added to the bicubic enlargement.

    Returns:
        Symbolic input (B, h, w, 3) and output (B, s h, s w, 3), float32 RGB in 0..255.

    Reference: [Shi et al., 2016](https://arxiv.org/abs/1609.05158)
    """
    images = keras.Input((None, None, 3), name="low_resolution")
    x = keras.layers.Rescaling(1 / 127.5, -1.0, dtype="float32", name="unit_range")(images)
    for name, filters, kernel_size in (("first", width, 5), ("second", width // 2, 3)):
        convolution = keras.layers.Conv2D(
            filters, kernel_size, padding="same", activation="tanh", name=name
        )
        x = convolution(x)
    x = keras.layers.Conv2D(3 * scale**2, 3, padding="same", name="last")(x)
    x = PixelShuffle(scale, name="last_shuffle")(x)
    return images, add_output(x, images, scale, residual)

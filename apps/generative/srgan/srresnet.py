"""SRResNet, the generator of SRGAN: residual blocks at low resolution, then sub-pixel layers."""

import keras

from apps.generative.srgan.output_image import add_output
from shared.layers import ConvNormActivation, PixelShuffle


def build_srresnet(
    scale: int,
    blocks: int = 16,
    width: int = 64,
    batch_norm: bool = True,
    upsampling: str = "steps",
    residual: str = "none",
    synchronized: bool = False,
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """The network at the top of figure 4; the defaults are the paper's.

    Args:
        scale: int. Factor s, 2, 3 or 4.
        blocks: int. Residual blocks.
        width: int. Channels.
        batch_norm: bool. Batch normalisation in the blocks; EDSR's authors found it harmful for
            the pixel loss ([Lim et al., 2017](https://arxiv.org/abs/1707.02921)).
        upsampling: "steps" (a convolution at every doubling, the last one at full resolution) or
            "direct" (all convolutions are at low resolution, much cheaper).
        residual: "none", or "bicubic": the output is added to the bicubic enlargement.
        synchronized: bool. Batch statistics over all replicas.

    Returns:
        Symbolic input (B, h, w, 3) and output (B, s h, s w, 3), float32 RGB in 0..255.

    Reference: [Ledig et al., 2017](https://arxiv.org/abs/1609.04802)
    """
    images = keras.Input((None, None, 3), name="low_resolution")
    x = keras.layers.Rescaling(1 / 255, dtype="float32", name="unit_range")(images)
    x = _convolution(width, 9, "first")(x)
    first = x = _prelu("first_prelu")(x)
    for number in range(1, blocks + 1):
        x = _residual_block(x, f"block{number}", batch_norm, synchronized)
    x = _normalized(width, "trunk", batch_norm, synchronized)(x)
    x = keras.layers.Add(name="trunk_sum")([x, first])
    if upsampling == "steps":
        for number, factor in enumerate(_factors(scale), start=1):
            x = _convolution(width * factor**2, 3, f"upsampling{number}")(x)
            x = PixelShuffle(factor, name=f"upsampling{number}_shuffle")(x)
            x = _prelu(f"upsampling{number}_prelu")(x)
        x = _convolution(3, 9, "last", residual)(x)
    else:
        x = _convolution(3 * scale**2, 3, "last", residual)(x)
        x = PixelShuffle(scale, name="last_shuffle")(x)
    return images, add_output(x, images, scale, residual)


def srresnet_margin(scale: int, blocks: int, upsampling: str) -> int:
    """Radius of the receptive field, in pixels of the input.

    Args:
        scale, blocks, upsampling: as for `build_srresnet`.
    """
    trunk = 4 + 2 * blocks + 1
    if upsampling == "direct":
        return trunk + 1
    radius, size = 0.0, 1
    for factor in _factors(scale):
        radius, size = radius + 1 / size, size * factor
    # The last kernel, of 9 pixels, is at full resolution; fractions are rounded up.
    return trunk + int(-(-(radius + 4 / size) // 1))


def _factors(scale: int) -> list[int]:
    """4 is twice 2."""
    return [2, 2] if scale == 4 else [scale]


def _residual_block(inputs, name, batch_norm, synchronized):
    width = inputs.shape[-1]
    x = _normalized(width, f"{name}_1", batch_norm, synchronized)(inputs)
    x = _prelu(f"{name}_prelu")(x)
    x = _normalized(width, f"{name}_2", batch_norm, synchronized, gain=0.1)(x)
    return keras.layers.Add(name=f"{name}_sum")([x, inputs])


def _normalized(width, name, batch_norm, synchronized, gain=1.0):
    # Without normalisation, branches that begin small keep the sum of many blocks in bounds.
    initializer = "he_normal" if batch_norm else keras.initializers.VarianceScaling(2 * gain)
    return ConvNormActivation(
        width,
        batch_norm=batch_norm,
        activation=None,
        synchronized=synchronized,
        kernel_initializer=initializer,
        name=name,
    )


def _convolution(filters, kernel_size, name, residual="none"):
    # The details that are added to the bicubic enlargement begin near zero.
    gain = 1e-4 if residual == "bicubic" else 1.0
    initializer = keras.initializers.VarianceScaling(gain)
    return keras.layers.Conv2D(
        filters, kernel_size, padding="same", kernel_initializer=initializer, name=name
    )


def _prelu(name):
    """One slope for each channel, 0.25 at the start, as in He et al. (2015)."""
    start = keras.initializers.Constant(0.25)
    return keras.layers.PReLU(shared_axes=[1, 2], alpha_initializer=start, name=name)

"""PatchGAN, the discriminator: classifies patches of 70 x 70 pixels instead of whole images."""

import keras
from keras import layers

from apps.generative.cyclegan.resnet_generator import convolution, instance_normalization


def build_patch_discriminator(width: int = 64, name: str = "discriminator") -> keras.Model:
    """Classifies overlapping patches as real or fake.

    In the paper's notation `C64-C128-C256-C512` and a convolution to one channel: 4x4 kernels,
    of which the first three have stride 2, so that each output sees 70 x 70 pixels.

    Args:
        width: int. Channels of the first layer.
        name: str. Name of the model and prefix of its convolutions' names.

    Returns:
        Model of float (B, H, W, 3) in -1..1 to float32 (B, H / 8 - 2, W / 8 - 2, 1): a logit
        for each patch.

    Reference: [Isola et al., 2016](https://arxiv.org/abs/1611.07004), PatchGAN;
    [Zhu et al., 2017](https://arxiv.org/abs/1703.10593), section 7.2
    """
    image = keras.Input((None, None, 3), name="image")
    x = _leaky_relu(_convolution(image, width, 2, f"{name}_conv_1", use_bias=True))
    for number, (filters, strides) in enumerate(
        ((2 * width, 2), (4 * width, 2), (8 * width, 1)), start=2
    ):
        x = _convolution(x, filters, strides, f"{name}_conv_{number}")
        x = _leaky_relu(instance_normalization()(x))
    x = _convolution(x, 1, 1, f"{name}_logit", use_bias=True)
    x = layers.Activation("linear", dtype="float32")(x)
    return keras.Model(image, x, name=name)


def _convolution(x, filters: int, strides: int, name: str, use_bias: bool = False):
    """A 4x4 convolution with one row of zeros on every side."""
    x = layers.ZeroPadding2D(1)(x)
    return convolution(filters, 4, use_bias=use_bias, strides=strides, name=name)(x)


def _leaky_relu(x):
    return layers.LeakyReLU(negative_slope=0.2)(x)

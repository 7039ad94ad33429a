"""Generator and discriminator of DCGAN: strided convolutions in place of pooling."""

import keras
from keras import layers

from apps.generative.gan.networks.convolutions import (
    halvings_of,
    initializer,
    latent_inputs,
    normalized,
    picture,
    picture_inputs,
)

KERNEL = 5


def build_dcgan_generator(
    latent_dim: int,
    side: int,
    channels: int,
    classes: int = 0,
    width: int = 64,
    normalization: str = "batch",
    synchronized: bool = False,
    name: str = "generator",
) -> keras.Model:
    """Random numbers to a picture by transposed convolutions, each of which doubles the size.

    Batch normalisation and a ReLU behind every layer but the last, which has a tanh.

    Args:
        latent_dim: int. Random numbers.
        side, channels: int. Of the picture.
        classes: int. Length of a further input, the class; 0 without.
        width: int. Channels at half of the size; each further halving doubles them.
        normalization: "batch" or "none".
        synchronized: bool. Batch statistics over all replicas.
        name: str. Name of the model, before those of its layers.

    Returns:
        Model of [(B, latent_dim), (B, classes)] to (B, side, side, channels) in -1..1.

    Reference: [Radford et al., 2016](https://arxiv.org/abs/1511.06434)
    """
    count = halvings_of(side)
    first, filters = side >> count, width << max(count - 1, 0)
    use_bias = normalization == "none"

    def behind(x, number):
        x = normalized(x, normalization, synchronized, f"{name}_norm_{number}")
        return layers.Activation("relu")(x)

    inputs, x = latent_inputs(latent_dim, classes)
    x = layers.Dense(
        first * first * filters,
        use_bias=use_bias,
        kernel_initializer=initializer(),
        name=f"{name}_project",
    )(x)
    x = behind(layers.Reshape((first, first, filters))(x), 0)
    for number in range(1, count):
        filters //= 2
        up = layers.Conv2DTranspose(
            filters, KERNEL, strides=2, padding="same", use_bias=use_bias,
            kernel_initializer=initializer(), name=f"{name}_up_{number}",
        )  # fmt: skip
        x = behind(up(x), number)
    x = layers.Conv2DTranspose(
        channels, KERNEL, strides=2 if count else 1, padding="same",
        kernel_initializer=initializer(), name=f"{name}_image",
    )(x)  # fmt: skip
    return keras.Model(inputs, picture(x), name=name)


def build_dcgan_discriminator(
    side: int,
    channels: int,
    outputs: int = 1,
    classes: int = 0,
    width: int = 64,
    normalization: str = "batch",
    synchronized: bool = False,
    name: str = "discriminator",
) -> keras.Model:
    """A picture to logits by convolutions, each of which halves the size.

    Normalisation behind every layer but the first and the last, leaky ReLUs, no dense layer but
    the last.

    Args:
        side, channels: int. Of the picture.
        outputs: int. Number of logits.
        classes: int. Length of a further input, the class; 0 without.
        width: int. Channels at half of the size; each further halving doubles them.
        normalization: "batch", "layer" or "none".
        synchronized: bool. Batch statistics over all replicas.
        name: str. Name of the model, before those of its layers.

    Returns:
        Model of [(B, side, side, channels), (B, classes)] to (B, outputs).

    Reference: [Radford et al., 2016](https://arxiv.org/abs/1511.06434)
    """
    inputs, x = picture_inputs(side, channels, classes, name)
    for number in range(max(halvings_of(side), 1)):
        kind = normalization if number else "none"
        x = layers.Conv2D(
            width << number, KERNEL, strides=2, padding="same", use_bias=kind == "none",
            kernel_initializer=initializer(), name=f"{name}_down_{number}",
        )(x)  # fmt: skip
        x = layers.LeakyReLU(0.2)(normalized(x, kind, synchronized, f"{name}_norm_{number}"))
    x = layers.Flatten()(x)
    logits = layers.Dense(
        outputs, dtype="float32", kernel_initializer=initializer(), name=f"{name}_logits"
    )(x)
    return keras.Model(inputs, logits, name=name)

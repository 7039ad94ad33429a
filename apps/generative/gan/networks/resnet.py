"""Residual generator and discriminator of pictures."""

import keras
from keras import layers

from apps.generative.gan.networks.convolutions import (
    halvings_of,
    latent_inputs,
    normalized,
    picture,
    picture_inputs,
)


def build_resnet_generator(
    latent_dim: int,
    side: int,
    channels: int,
    classes: int = 0,
    width: int = 64,
    normalization: str = "batch",
    synchronized: bool = False,
    name: str = "generator",
) -> keras.Model:
    """Random numbers to a picture by residual blocks, each of which doubles the size.

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

    Reference: [Gulrajani et al., 2017](https://arxiv.org/abs/1704.00028), appendix F
    """
    count = halvings_of(side)
    first, filters = side >> count, width << max(count - 1, 0)

    def before(x, number):
        norm = f"{name}_norm_{number}"
        return layers.Activation("relu")(normalized(x, normalization, synchronized, norm))

    inputs, x = latent_inputs(latent_dim, classes)
    x = layers.Dense(first * first * filters, name=f"{name}_project")(x)
    x = layers.Reshape((first, first, filters))(x)
    for number in range(1, count + 1):
        filters = max(filters // 2, width) if number > 1 else filters
        branch = layers.UpSampling2D(2)(before(x, f"{number}_1"))
        branch = _convolution(filters, f"{name}_block_{number}_conv_1")(branch)
        branch = before(branch, f"{number}_2")
        branch = _convolution(filters, f"{name}_block_{number}_conv_2")(branch)
        shortcut = _projection(filters, f"{name}_block_{number}_shortcut")(
            layers.UpSampling2D(2)(x)
        )
        x = layers.Add()([branch, shortcut])
    x = _convolution(channels, f"{name}_image")(before(x, "image"))
    return keras.Model(inputs, picture(x), name=name)


def build_resnet_discriminator(
    side: int,
    channels: int,
    outputs: int = 1,
    classes: int = 0,
    width: int = 64,
    normalization: str = "layer",
    synchronized: bool = False,
    name: str = "discriminator",
) -> keras.Model:
    """A picture to logits by residual blocks, each of which halves the size, and a mean.

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

    Reference: [Gulrajani et al., 2017](https://arxiv.org/abs/1704.00028), appendix F
    """

    def before(x, number):
        norm = f"{name}_norm_{number}"
        return layers.Activation("relu")(normalized(x, normalization, synchronized, norm))

    inputs, x = picture_inputs(side, channels, classes, name)
    x = _convolution(width, f"{name}_stem")(x)
    for number in range(max(halvings_of(side), 1)):
        filters = width << number
        branch = _convolution(filters, f"{name}_block_{number}_conv_1")(before(x, f"{number}_1"))
        branch = before(branch, f"{number}_2")
        branch = _convolution(filters, f"{name}_block_{number}_conv_2")(branch)
        branch = layers.AveragePooling2D(2, padding="same")(branch)
        shortcut = layers.AveragePooling2D(2, padding="same")(x)
        shortcut = _projection(filters, f"{name}_block_{number}_shortcut")(shortcut)
        x = layers.Add()([branch, shortcut])
    x = layers.GlobalAveragePooling2D()(layers.Activation("relu")(x))
    logits = layers.Dense(outputs, dtype="float32", name=f"{name}_logits")(x)
    return keras.Model(inputs, logits, name=name)


def _convolution(filters: int, name: str) -> layers.Layer:
    return layers.Conv2D(filters, 3, padding="same", kernel_initializer="he_uniform", name=name)


def _projection(filters: int, name: str) -> layers.Layer:
    return layers.Conv2D(filters, 1, kernel_initializer="glorot_uniform", name=name)

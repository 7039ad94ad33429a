"""Generator and discriminator of dense layers."""

import keras
from keras import layers, ops

from apps.generative.gan.networks.convolutions import latent_inputs, picture, picture_inputs


def build_mlp_generator(
    latent_dim: int,
    side: int,
    channels: int,
    classes: int = 0,
    hidden_dim: int = 1200,
    hidden_layers: int = 2,
    name: str = "generator",
) -> keras.Model:
    """Random numbers to a picture by dense layers and ReLUs.

    Args:
        latent_dim: int. Random numbers.
        side, channels: int. Of the picture.
        classes: int. Length of a further input, the class; 0 without.
        hidden_dim, hidden_layers: int. Units of a hidden layer, and their number.
        name: str. Name of the model, before those of its layers.

    Returns:
        Model of [(B, latent_dim), (B, classes)] to (B, side, side, channels) in -1..1.

    Reference: [Goodfellow et al., 2014](https://arxiv.org/abs/1406.2661)
    """
    inputs, x = latent_inputs(latent_dim, classes)
    for number in range(1, hidden_layers + 1):
        x = layers.Dense(hidden_dim, activation="relu", name=f"{name}_hidden_{number}")(x)
    x = layers.Dense(side * side * channels, name=f"{name}_image")(x)
    x = layers.Reshape((side, side, channels))(x)
    return keras.Model(inputs, picture(x), name=name)


def build_mlp_discriminator(
    side: int,
    channels: int,
    outputs: int = 1,
    classes: int = 0,
    hidden_dim: int = 240,
    hidden_layers: int = 2,
    maxout: int = 5,
    name: str = "discriminator",
) -> keras.Model:
    """A picture to logits by dense layers of maxout units.

    Args:
        side, channels: int. Of the picture.
        outputs: int. Number of logits.
        classes: int. Length of a further input, the class; 0 without.
        hidden_dim, hidden_layers: int. Units of a hidden layer, and their number.
        maxout: int. Linear pieces of a unit; 1: a leaky ReLU.
        name: str. Name of the model, before those of its layers.

    Returns:
        Model of [(B, side, side, channels), (B, classes)] to (B, outputs).

    Reference: [Goodfellow et al., 2013](https://arxiv.org/abs/1302.4389) for maxout
    """
    inputs, x = picture_inputs(side, channels, classes, name)
    x = layers.Flatten()(x)
    for number in range(1, hidden_layers + 1):
        x = layers.Dense(hidden_dim * maxout, name=f"{name}_hidden_{number}")(x)
        if maxout > 1:
            x = ops.max(layers.Reshape((hidden_dim, maxout))(x), axis=-1)
        else:
            x = layers.LeakyReLU(0.2)(x)
    logits = layers.Dense(outputs, dtype="float32", name=f"{name}_logits")(x)
    return keras.Model(inputs, logits, name=name)

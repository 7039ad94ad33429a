"""Sizes, weights and normalisation of the convolutional networks."""

import keras
from keras import layers

# Radford et al., 2016: normal with a deviation of 0.02.
DEVIATION = 0.02
SMALLEST_SIDE = 4


def halvings_of(side: int) -> int:
    """How often a side can be halved without a remainder, to at least 4 pixels."""
    count = 0
    while side % 2 == 0 and side // 2 >= SMALLEST_SIDE:
        side, count = side // 2, count + 1
    return count


def initializer() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=DEVIATION)


def normalized(x, kind: str, synchronized: bool, name: str):
    """Normalises a layer's output.

    Args:
        x: tensor (B, H, W, C).
        kind: "batch"; "layer": over all of a picture, as a gradient penalty needs it; or "none".
        synchronized: bool. Batch statistics over all replicas.
        name: str. Name of the layer.
    """
    if kind == "batch":
        return layers.BatchNormalization(
            momentum=0.9, epsilon=1e-5, synchronized=synchronized, name=name
        )(x)
    if kind == "layer":
        return layers.GroupNormalization(groups=1, epsilon=1e-5, name=name)(x)
    return x


def latent_inputs(latent_dim: int, classes: int):
    """The inputs of a generator, and both in one vector.

    Args:
        latent_dim: int.
        classes: int. Length of the class's one-hot vector; 0 without classes.
    """
    latent = keras.Input((latent_dim,), name="latent")
    if not classes:
        return [latent], latent
    label = keras.Input((classes,), name="label")
    return [latent, label], layers.Concatenate()([latent, label])


def picture_inputs(side: int, channels: int, classes: int, name: str):
    """The inputs of a discriminator, and both in one map: a class is a map of its own weights.

    Args:
        side, channels: int. Of the picture.
        classes: int. Length of the class's one-hot vector; 0 without classes.
        name: str. Of the network, for its layers.
    """
    image = keras.Input((side, side, channels), name="image")
    if not classes:
        return [image], image
    label = keras.Input((classes,), name="label")
    drawn = layers.Dense(side * side, use_bias=False, name=f"{name}_label_map")(label)
    drawn = layers.Reshape((side, side, 1))(drawn)
    return [image, label], layers.Concatenate()([image, drawn])


def picture(x):
    """Levels in -1..1; in float32, so that mixed precision does not round them."""
    return layers.Activation("tanh", dtype="float32")(x)

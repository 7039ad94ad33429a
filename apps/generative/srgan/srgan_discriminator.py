"""SRGAN's discriminator: classifies crops as photographs or as output of the generator."""

import keras

from shared.layers import ConvNormActivation


def build_discriminator(
    side: int, width: int = 64, dense: int = 1024, synchronized: bool = False
) -> keras.Model:
    """Eight convolutions in the style of VGG, every second one halving the size.

    Args:
        side: int. Of the square crops in pixels.
        width: int. Channels of the first layer; the last has eight times as many.
        dense: int. Units of the dense layer.
        synchronized: bool. Batch statistics over all replicas.

    Returns:
        keras.Model: RGB (B, side, side, 3) in 0..255 to float32 logits (B, 1).

    Reference: [Ledig et al., 2017](https://arxiv.org/abs/1609.04802), figure 4
    """
    images = keras.Input((side, side, 3), name="judged")
    scaling = keras.layers.Rescaling(1 / 127.5, -1.0, dtype="float32", name="judged_range")
    x = scaling(images)
    for number in range(8):
        x = ConvNormActivation(
            width * 2 ** (number // 2),
            strides=1 + number % 2,
            padding="symmetric",
            # The first sees colours, which normalisation would make relative.
            batch_norm=number > 0,
            activation="leaky_relu",
            synchronized=synchronized,
            name=f"judge{number + 1}",
        )(x)
    x = keras.layers.Flatten(name="judge_flatten")(x)
    x = keras.layers.Dense(dense, activation="leaky_relu", name="judge_dense")(x)
    logits = keras.layers.Dense(1, dtype="float32", name="judge_logit")(x)
    return keras.Model(images, logits, name="discriminator")

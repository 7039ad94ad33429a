"""Encoders and decoders: fully connected, or convolutional for pictures of any size."""

import math

import keras
from keras import layers

from apps.generative.autoencoder.config import MLP, SPARSE, VARIATIONAL, ModelConfig

Shape = tuple[int, int, int]


def build_encoder(config: ModelConfig, shape: Shape, activation: str = "linear") -> keras.Model:
    """Pictures to codes; of a variational autoencoder to the means and the log-variances.

    Args:
        config: the configuration.
        shape: (H, W, C) of the pictures.
        activation: of the code.

    Returns:
        Model of float (B, H, W, C) in 0..1 to float32 (B, Z), or (B, 2 Z) if variational.
    """
    image = keras.Input(shape, name="image")
    x = image
    if config.architecture == MLP:
        x = layers.Flatten()(x)
        for number in range(1, config.num_layers + 1):
            x = _dense(config.hidden_dim, f"encoder_hidden_{number}")(x)
    else:
        for number, width in enumerate(_widths(config), start=1):
            x = layers.Conv2D(
                width, 4, strides=2, padding="same", activation="relu",
                kernel_initializer="he_normal", name=f"encoder_conv_{number}",
            )(x)  # fmt: skip
        x = _dense(config.hidden_dim, "encoder_hidden")(layers.Flatten()(x))
    size = 2 * config.code if config.kind == VARIATIONAL else config.code
    code = layers.Dense(size, activation=activation, dtype="float32", name="encoder_code")(x)
    return keras.Model(image, code, name="encoder")


def build_decoder(config: ModelConfig, shape: Shape) -> keras.Model:
    """Codes to the logits of pictures, the encoder's layers in reverse.

    Args:
        config: the configuration.
        shape: (H, W, C) of the pictures.

    Returns:
        Model of float (B, Z) to float32 (B, H, W, C); sigmoid makes pictures in 0..1 of it.
    """
    code = keras.Input((config.code,), name="code")
    x = code
    if config.architecture == MLP:
        for number in range(1, config.num_layers + 1):
            x = _dense(config.hidden_dim, f"decoder_hidden_{number}")(x)
        x = layers.Dense(math.prod(shape), dtype="float32", name="decoder_logits")(x)
        logits = layers.Reshape(shape)(x)
    else:
        logits = _convolutional(_dense(config.hidden_dim, "decoder_hidden")(x), config, shape)
    return keras.Model(code, logits, name="decoder")


def _convolutional(x, config: ModelConfig, shape: Shape):
    """Grows a small map to the picture; where sides are no multiple, the rest is cut off."""
    height, width, channels = shape
    factor = 2**config.num_layers
    widths = _widths(config)[::-1]
    small = (-(-height // factor), -(-width // factor), widths[0])
    x = layers.Reshape(small)(_dense(math.prod(small), "decoder_map")(x))
    for number, filters in enumerate([*widths[1:], channels], start=1):
        is_last = number == config.num_layers
        # The kernel is a multiple of the stride, so that all pixels get equally many terms.
        x = layers.Conv2DTranspose(
            filters, 4, strides=2, padding="same", activation=None if is_last else "relu",
            kernel_initializer="glorot_normal" if is_last else "he_normal",
            dtype="float32" if is_last else None, name=f"decoder_conv_{number}",
        )(x)  # fmt: skip
    return layers.Cropping2D(((0, small[0] * factor - height), (0, small[1] * factor - width)))(x)


def code_activation(config: ModelConfig, sparsity: str) -> str:
    """Activation of the code: in 0..1 where a mean is aimed at, at least 0 where a sum is paid."""
    if config.kind != SPARSE:
        return "linear"
    return "sigmoid" if sparsity == "kl" else "relu"


def _widths(config: ModelConfig) -> list[int]:
    return [config.width * 2**number for number in range(config.num_layers)]


def _dense(units: int, name: str) -> layers.Dense:
    return layers.Dense(units, activation="relu", kernel_initializer="he_normal", name=name)

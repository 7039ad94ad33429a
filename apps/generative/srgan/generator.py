"""The generator of a configuration; its layers have the same names in both stages."""

import keras

from apps.generative.srgan.config import ModelConfig
from apps.generative.srgan.espcn import ESPCN_MARGIN, build_espcn
from apps.generative.srgan.srresnet import build_srresnet, srresnet_margin


def build_generator(config: ModelConfig, synchronized: bool = False) -> keras.Model:
    """Model of float32 RGB (B, h, w, 3) in 0..255 to (B, s h, s w, 3)."""
    if config.generator == "espcn":
        layers = build_espcn(config.scale, config.width, config.residual)
    else:
        layers = build_srresnet(
            config.scale,
            config.blocks,
            config.width,
            config.batch_norm,
            config.upsampling,
            config.residual,
            synchronized,
        )
    return keras.Model(*layers, name="generator")


def generator_margin(config: ModelConfig) -> int:
    """Radius of the generator's receptive field, in pixels of the input."""
    if config.generator == "espcn":
        return ESPCN_MARGIN
    return srresnet_margin(config.scale, config.blocks, config.upsampling)


def pixel_error(truth, made, kind: str):
    """Mean error of images in 0..255, on the scale -1..1.

    Args:
        truth, made: float tensors of one shape.
        kind: "l1" for the absolute or "l2" for the squared error.
    """
    difference = (truth - made) / 127.5
    error = keras.ops.abs(difference) if kind == "l1" else keras.ops.square(difference)
    return keras.ops.mean(error)


def as_levels(images):
    """Rounds images to uint8 levels."""
    return keras.ops.cast(keras.ops.clip(keras.ops.round(images), 0, 255), "uint8")

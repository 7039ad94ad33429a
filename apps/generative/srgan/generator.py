"""The generator that a configuration describes; of the same names in both stages."""

import keras

from apps.generative.srgan.config import ModelConfig
from apps.generative.srgan.espcn import ESPCN_MARGIN, build_espcn
from apps.generative.srgan.srresnet import build_srresnet, srresnet_margin


def generator_layers(
    config: ModelConfig, synchronized: bool = False
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Symbolic input (B, h, w, 3) and output (B, s h, s w, 3), float32 RGB in 0..255."""
    if config.generator == "espcn":
        return build_espcn(config.scale, config.width, config.residual)
    return build_srresnet(
        config.scale,
        config.blocks,
        config.width,
        config.batch_norm,
        config.upsampling,
        config.residual,
        synchronized,
    )


def generator_margin(config: ModelConfig) -> int:
    """Pixels of the input beyond which it does not change an output pixel: half of what is seen."""
    if config.generator == "espcn":
        return ESPCN_MARGIN
    return srresnet_margin(config.scale, config.blocks, config.upsampling)


def pixel_error(truth, made, kind: str):
    """Mean absolute ("l1") or squared ("l2") error of images in 0..255, on the scale -1..1."""
    difference = (truth - made) / 127.5
    error = keras.ops.abs(difference) if kind == "l1" else keras.ops.square(difference)
    return keras.ops.mean(error)


def as_levels(images):
    """Images as they are written: whole levels, uint8."""
    return keras.ops.cast(keras.ops.clip(keras.ops.round(images), 0, 255), "uint8")

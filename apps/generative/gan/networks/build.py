"""The networks that a configuration names."""

import keras

from apps.generative.gan.config import ModelConfig
from apps.generative.gan.networks.dcgan import build_dcgan_discriminator, build_dcgan_generator
from apps.generative.gan.networks.mlp import build_mlp_discriminator, build_mlp_generator
from apps.generative.gan.networks.resnet import (
    build_resnet_discriminator,
    build_resnet_generator,
)


def build_generator(
    config: ModelConfig,
    shape: tuple[int, int, int],
    classes: int = 0,
    synchronized: bool = False,
    name: str = "generator",
) -> keras.Model:
    """The generator.

    Args:
        config: ModelConfig.
        shape: (side, side, channels) of the pictures.
        classes: int. Number of classes; 0 without.
        synchronized: bool. Batch statistics over all replicas.
        name: str. Name of the model.
    """
    common = (config.latent_dim, shape[0], shape[-1], classes)
    if config.architecture == "mlp":
        return build_mlp_generator(*common, config.hidden_dim, config.hidden_layers, name=name)
    build = {"dcgan": build_dcgan_generator, "resnet": build_resnet_generator}
    return build[config.architecture](
        *common, config.width, config.generator_normalization, synchronized, name=name
    )


def build_discriminator(
    config: ModelConfig,
    shape: tuple[int, int, int],
    classes: int = 0,
    outputs: int = 1,
    synchronized: bool = False,
    name: str = "discriminator",
) -> keras.Model:
    """The discriminator; with `outputs` of the length of the noise, an encoder.

    Args:
        config: ModelConfig.
        shape: (side, side, channels) of the pictures.
        classes: int. Number of classes; 0 without.
        outputs: int. Number of logits.
        synchronized: bool. Batch statistics over all replicas.
        name: str. Name of the model.
    """
    common = (shape[0], shape[-1], outputs, classes)
    if config.architecture == "mlp":
        return build_mlp_discriminator(
            *common, config.discriminator_dim, config.hidden_layers, config.maxout, name=name
        )
    build = {"dcgan": build_dcgan_discriminator, "resnet": build_resnet_discriminator}
    return build[config.architecture](
        *common, config.width, config.discriminator_normalization, synchronized, name=name
    )

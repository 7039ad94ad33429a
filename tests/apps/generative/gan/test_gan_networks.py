"""Shapes and rules of the generators and discriminators."""

import keras
import numpy as np
import pytest
from keras import layers

from apps.generative.gan.config import ModelConfig
from apps.generative.gan.networks.build import build_discriminator, build_generator
from apps.generative.gan.networks.convolutions import halvings_of


@pytest.mark.parametrize("architecture", ["mlp", "dcgan", "resnet"])
@pytest.mark.parametrize(("side", "channels", "classes"), [(16, 1, 0), (20, 3, 2)])
def test_pictures_and_logits_have_their_shapes(architecture, side, channels, classes):
    config = ModelConfig(architecture=architecture, latent_dim=6, width=4, hidden_dim=8)
    shape = (side, side, channels)
    generator = build_generator(config, shape, classes)
    label = [np.eye(2, dtype="float32")] if classes else []
    pictures = np.asarray(generator([np.ones((2, 6), "float32"), *label]))
    assert pictures.shape == (2, *shape)
    assert np.abs(pictures).max() <= 1
    discriminator = build_discriminator(config, shape, classes)
    assert discriminator([pictures, *label]).shape == (2, 1)
    assert build_discriminator(config, shape, outputs=6)(pictures).shape == (2, 6)


@pytest.mark.parametrize(("side", "count"), [(8, 1), (16, 2), (28, 2), (36, 2), (64, 4), (12, 1)])
def test_sides_are_halved_while_they_can_be(side, count):
    assert halvings_of(side) == count


def kinds(model: keras.Model) -> list[type]:
    return [type(layer) for layer in model.layers]


def test_dcgan_follows_its_rules():
    """Radford et al., 2016, section 3: the guidelines one by one."""
    config, shape = ModelConfig(width=8, latent_dim=10), (32, 32, 3)
    generator = build_generator(config, shape)
    discriminator = build_discriminator(config, shape)
    everything = kinds(generator) + kinds(discriminator)
    assert not {layers.MaxPooling2D, layers.AveragePooling2D, layers.UpSampling2D} & {*everything}
    convolutions = [layer for layer in discriminator.layers if isinstance(layer, layers.Conv2D)]
    assert all(layer.strides == (2, 2) for layer in convolutions)
    # Batch normalisation in both, but not at the picture: neither where it is made nor read.
    assert kinds(generator)[-2:] == [layers.Conv2DTranspose, layers.Activation]
    assert kinds(generator).count(layers.BatchNormalization) == 3
    assert kinds(discriminator)[1:3] == [layers.Conv2D, layers.LeakyReLU]
    assert kinds(discriminator).count(layers.BatchNormalization) == 2
    activations = [
        layer.activation.__name__
        for layer in generator.layers
        if isinstance(layer, layers.Activation)
    ]
    assert activations == ["relu"] * 3 + ["tanh"]
    leaky = [layer for layer in discriminator.layers if isinstance(layer, layers.LeakyReLU)]
    assert {layer.negative_slope for layer in leaky} == {0.2}
    kernels = [w for w in generator.weights + discriminator.weights if "kernel" in w.path]
    assert all(0.01 < np.std(kernel) < 0.03 for kernel in kernels)


@pytest.mark.parametrize("architecture", ["dcgan", "resnet"])
@pytest.mark.parametrize("kind", ["layer", "none"])
def test_without_batch_statistics_a_score_depends_on_its_picture_alone(architecture, kind):
    config = ModelConfig(architecture=architecture, width=4, discriminator_normalization=kind)
    discriminator = build_discriminator(config, (16, 16, 1))
    pictures = np.random.default_rng(0).normal(size=(4, 16, 16, 1)).astype("float32")
    together = discriminator(pictures, training=True)
    np.testing.assert_allclose(together[:1], discriminator(pictures[:1], training=True), atol=1e-5)

"""Generators, discriminator and their losses, against the papers and plain NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.generative.srgan.config import ModelConfig, SrganConfig
from apps.generative.srgan.content_features import content_loss
from apps.generative.srgan.generator import (
    as_levels,
    build_generator,
    generator_margin,
    pixel_error,
)
from apps.generative.srgan.pixel_generator import PixelGenerator
from apps.generative.srgan.sr_gan import SRGAN
from apps.generative.srgan.srgan_discriminator import build_discriminator
from shared.common import config as configs
from shared.engine.run import copy_matching_weights, save_model
from shared.image import bicubic

RANDOM = np.random.default_rng(0)


def images(*shape):
    return RANDOM.uniform(0, 255, shape).astype("float32")


def generator(**options) -> keras.Model:
    return build_generator(ModelConfig(**options))


SMALL = {"blocks": 2, "width": 12}


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize(
    "options",
    [
        SMALL,
        SMALL | {"upsampling": "direct", "residual": "bicubic", "batch_norm": False},
        {"generator": "espcn", "width": 16},
    ],
)
def test_generators_enlarge_images_of_any_size(scale, options):
    network = generator(scale=scale, **options)
    for height, width in ((5, 7), (2, 16)):
        assert network(images(2, height, width, 3)).shape == (2, scale * height, scale * width, 3)


def test_srresnet_has_the_papers_parameters():
    """9x9x64, 16 blocks of two 3x3x64, one more, two 3x3x256 with shuffle, 9x9x3."""
    network = generator(scale=4)
    convolutions = 3 * 81 * 64 + 33 * 9 * 64 * 64 + 2 * 9 * 64 * 256 + 81 * 64 * 3
    # Where normalisation follows, its shift stands for the bias.
    biases, slopes, norms = 64 + 2 * 256 + 3, 64 * (1 + 16 + 2), 33 * 2 * 64
    trained = sum(int(np.prod(v.shape)) for v in network.trainable_variables)
    assert trained == convolutions + biases + slopes + norms


def test_espcn_is_its_three_convolutions():
    network = generator(scale=3, generator="espcn")
    trained = sum(int(np.prod(v.shape)) for v in network.trainable_variables)
    assert trained == (75 * 64 + 64) + (9 * 64 * 32 + 32) + (9 * 32 * 27 + 27)


def test_the_residual_network_begins_as_bicubic():
    network = generator(scale=4, residual="bicubic", **SMALL)
    inputs = images(1, 8, 9, 3)
    expected = bicubic.enlarge(inputs[0].astype(np.float64), 4)
    np.testing.assert_allclose(network(inputs)[0], expected, atol=4)


@pytest.mark.parametrize(
    "options",
    [
        SMALL | {"scale": 2},
        SMALL | {"scale": 3},
        SMALL | {"scale": 4},
        SMALL | {"scale": 4, "upsampling": "direct", "residual": "bicubic"},
        {"generator": "espcn", "scale": 2, "residual": "bicubic"},
    ],
)
def test_no_pixel_beyond_the_margin_changes_the_output(options):
    """And one at the margin may: it is not larger than it has to be."""
    keras.utils.set_random_seed(1)
    network = generator(**options)
    for variable in network.trainable_variables:
        if variable.path.startswith("last/"):
            variable.assign(variable + 0.1)
    config = ModelConfig(**options)
    margin, scale = generator_margin(config), config.scale
    side, middle = 2 * margin + 5, margin + 2
    pixels = tf.Variable(images(1, side, side, 3))
    with tf.GradientTape() as tape:
        outputs = network(pixels)
        block = slice(middle * scale, (middle + 1) * scale)
        total = tf.reduce_sum(outputs[:, block, block] ** 2)
    seen = np.abs(tape.gradient(total, pixels).numpy()[0]).sum(axis=(1, 2)) > 0
    reach = np.abs(np.flatnonzero(seen) - middle)
    assert reach.max() == margin


def test_discriminator_is_the_papers():
    network = build_discriminator(96)
    layers = [layer for layer in network.layers if layer.name.startswith("judge")]
    shapes = [layer.output.shape[1:] for layer in layers if len(layer.output.shape) == 4]
    assert shapes[2:] == [
        (96, 96, 64), (48, 48, 64), (48, 48, 128), (24, 24, 128),
        (24, 24, 256), (12, 12, 256), (12, 12, 512), (6, 6, 512),
    ]  # fmt: skip
    assert network.get_layer("judge_dense").units == 1024
    assert not network.get_layer("judge1").batch_norm
    assert network.get_layer("judge2").batch_norm
    assert network.output_shape == (None, 1)


# === Losses ===


def config(**overrides) -> SrganConfig:
    return configs.resolve(SrganConfig, {"preset": "test"} | overrides)


def sr_gan(**overrides) -> SRGAN:
    given = config(**overrides)
    gan = SRGAN(given.model, given.loss, given.data_options.crop_size)
    gan.content = content_loss(given.loss)
    return gan


@pytest.mark.parametrize("kind, power", [("l1", 1), ("l2", 2)])
def test_pixel_error_is_on_the_scale_of_two(kind, power):
    truth, made = images(2, 4, 5, 3), images(2, 4, 5, 3)
    expected = np.mean(np.abs(truth / 127.5 - made / 127.5) ** power)
    assert float(pixel_error(truth, made, kind)) == pytest.approx(expected, rel=1e-5)


def softplus(x):
    return np.log1p(np.exp(np.asarray(x, np.float64)))


@pytest.mark.parametrize("relativistic", [False, True])
def test_adversarial_losses_follow_their_definition(relativistic):
    given = {"loss.relativistic": relativistic, "loss.pixel_weight": 0.5}
    gan = sr_gan(**given)
    low, high = images(3, 12, 12, 3), images(3, 24, 24, 3)
    terms, made = gan.generator_losses((low, high))
    judged = gan.discriminator_losses((low, high), made)
    real, fake = (gan.discriminator(x, training=True).numpy() for x in (high, made))
    difference = real - fake if relativistic else None
    expected = {
        "content": 0.02 * np.mean((high / 127.5 - made.numpy() / 127.5) ** 2),
        "pixel": 0.5 * np.mean((high / 127.5 - made.numpy() / 127.5) ** 2),
        "adversarial": 1e-3 * np.mean(softplus(difference if relativistic else -fake)),
    }
    assert set(terms) == set(expected)
    for name, value in expected.items():
        assert float(terms[name]) == pytest.approx(value, rel=1e-4), name
    real_and_fake = np.mean(softplus(-real)) + np.mean(softplus(fake))
    expected = np.mean(softplus(-difference)) if relativistic else real_and_fake
    assert set(judged) == {"discriminator"}
    assert float(judged["discriminator"]) == pytest.approx(expected, rel=1e-4)


def test_what_is_written_are_whole_levels():
    levels = as_levels(tf.constant([-3.0, 0.4, 0.6, 254.6, 300.0]))
    assert levels.dtype == tf.uint8
    assert levels.numpy().tolist() == [0, 0, 1, 255, 255]


# === From stage to stage ===


def test_the_second_stage_takes_the_first_ones_generator(tmp_path):
    first = PixelGenerator(config().model, config().loss)
    save_model(first, tmp_path / "model.keras")
    saved = keras.models.load_model(tmp_path / "model.keras", compile=False)
    gan = sr_gan()
    left = copy_matching_weights(saved, gan)
    assert len(left) == len(gan.weights) - len(first.weights)
    inputs = images(1, 6, 6, 3)
    np.testing.assert_allclose(gan(inputs), first(inputs), atol=1e-4)


def test_a_second_stage_can_go_on_from_another(tmp_path):
    keras.utils.set_random_seed(1)
    first = sr_gan()
    save_model(first, tmp_path / "model.keras")
    saved = keras.models.load_model(tmp_path / "model.keras", compile=False)
    assert isinstance(saved, SRGAN)
    second = sr_gan()
    assert not copy_matching_weights(saved, second)
    crops = images(2, 24, 24, 3)
    np.testing.assert_allclose(second.discriminator(crops), first.discriminator(crops), atol=1e-4)

"""Generator and discriminator against NumPy, and what the discriminator sees."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.generative.cyclegan import patch_discriminator
from apps.generative.cyclegan.patch_discriminator import build_patch_discriminator
from apps.generative.cyclegan.resnet_generator import build_resnet_generator

WIDTH = 12
RANDOM = np.random.default_rng(0)


# === The definitions, in NumPy: one image (H, W, C) ===


def correlate(image, kernel, stride=1):
    """Convolution as networks define it, without padding; kernel (k, k, C, F)."""
    side = kernel.shape[0]
    windows = np.lib.stride_tricks.sliding_window_view(image, (side, side), axis=(0, 1))
    return np.einsum("hwckl,klcf->hwf", windows[::stride, ::stride], kernel)


def mirrored(image, sides):
    return np.pad(image, ((sides, sides), (sides, sides), (0, 0)), mode="reflect")


def normalized(image):
    """Instance normalisation."""
    mean, variance = image.mean(axis=(0, 1)), image.var(axis=(0, 1))
    return (image - mean) / np.sqrt(variance + 1e-5)


def relu(image):
    return np.maximum(image, 0)


def halved(image, kernel):
    """Stride 2; of a 3x3 kernel the padding of an even side is one row at the end."""
    return correlate(np.pad(image, ((0, 1), (0, 1), (0, 0))), kernel, stride=2)


def doubled(image, kernel):
    """Transposed convolution: each pixel paints its kernel (k, k, F, C) onto the result."""
    height, width, _ = image.shape
    canvas = np.zeros((2 * height + 1, 2 * width + 1, kernel.shape[2]))
    for row in range(height):
        for column in range(width):
            painted = np.einsum("klfc,c->klf", kernel, image[row, column])
            canvas[2 * row : 2 * row + 3, 2 * column : 2 * column + 3] += painted
    return canvas[:-1, :-1]


def generator_by_hand(model, image, blocks, upsampling):
    weights = iter([np.asarray(weight, np.float64) for weight in model.weights])
    x = relu(normalized(correlate(mirrored(image, 3), next(weights))))
    x = relu(normalized(halved(x, next(weights))))
    x = relu(normalized(halved(x, next(weights))))
    for _ in range(blocks):
        branch = relu(normalized(correlate(mirrored(x, 1), next(weights))))
        x = x + normalized(correlate(mirrored(branch, 1), next(weights)))
    for _ in range(2):
        if upsampling == "transposed":
            x = doubled(x, next(weights))
        else:
            x = correlate(mirrored(x.repeat(2, axis=0).repeat(2, axis=1), 1), next(weights))
        x = relu(normalized(x))
    x = correlate(mirrored(x, 3), next(weights)) + next(weights)
    assert next(weights, None) is None
    return np.tanh(x)


def discriminator_by_hand(model, image):
    weights = iter([np.asarray(weight, np.float64) for weight in model.weights])

    def step(x, stride):
        return correlate(np.pad(x, ((1, 1), (1, 1), (0, 0))), next(weights), stride)

    def leaky(x):
        return np.where(x > 0, x, 0.2 * x)

    x = leaky(step(image, 2) + next(weights))
    for stride in (2, 2, 1):
        x = leaky(normalized(step(x, stride)))
    x = step(x, 1) + next(weights)
    assert next(weights, None) is None
    return x


# === Tests ===


@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
def test_generator_equals_the_definition(upsampling):
    model = build_resnet_generator(WIDTH, blocks=2, upsampling=upsampling)
    images = RANDOM.uniform(-1, 1, (2, 16, 24, 3)).astype("float32")
    made = np.asarray(model(images))
    assert made.shape == images.shape
    for image, output in zip(images, made, strict=True):
        expected = generator_by_hand(model, image.astype(np.float64), 2, upsampling)
        np.testing.assert_allclose(output, expected, atol=2e-5)


def test_a_residual_generator_adds_to_the_image():
    """tanh(arctanh(0.99 x) + r), where a plain one with the same weights makes tanh(r)."""
    plain, residual = (build_resnet_generator(WIDTH, 1, residual=flag) for flag in (False, True))
    images = RANDOM.uniform(-1, 1, (2, 16, 24, 3)).astype("float32")
    np.testing.assert_allclose(residual(images), 0.99 * images, atol=1e-5)
    residual.set_weights(plain.get_weights())
    images[0, 0, 0] = 1.0, -1.0, 0.0
    expected = np.tanh(np.arctanh(0.99 * images) + np.arctanh(np.asarray(plain(images))))
    np.testing.assert_allclose(residual(images), expected, atol=1e-5)


def test_discriminator_equals_the_definition():
    model = build_patch_discriminator(WIDTH)
    images = RANDOM.uniform(-1, 1, (2, 40, 48, 3)).astype("float32")
    logits = np.asarray(model(images))
    assert logits.shape == (2, 40 // 8 - 2, 48 // 8 - 2, 1)
    for image, output in zip(images, logits, strict=True):
        expected = discriminator_by_hand(model, image.astype(np.float64))
        np.testing.assert_allclose(output, expected, atol=2e-5)


def test_the_papers_networks_have_the_papers_sizes():
    """As many weights as the paper's, less the biases that normalisation makes useless."""
    generator, discriminator = build_resnet_generator(64, 9), build_patch_discriminator(64)
    convolutions = [(7, 3, 64), (3, 64, 128), (3, 128, 256), *[(3, 256, 256)] * 18]
    convolutions += [(3, 256, 128), (3, 128, 64), (7, 64, 3)]
    assert generator.count_params() == sum(k * k * i * o for k, i, o in convolutions) + 3
    channels = (3, 64, 128, 256, 512, 1)
    kernels = sum(16 * i * o for i, o in zip(channels, channels[1:], strict=False))
    assert discriminator.count_params() == kernels + 64 + 1


def test_discriminator_sees_exactly_70_pixels(monkeypatch):
    """Without the normalisation, whose means see the whole image."""
    monkeypatch.setattr(patch_discriminator, "instance_normalization", keras.layers.Identity)
    model = build_patch_discriminator(WIDTH)
    image = tf.constant(RANDOM.uniform(-1, 1, (1, 160, 160, 3)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(image)
        logits = model(image)
        middle = logits[0, logits.shape[1] // 2, logits.shape[2] // 2, 0]
    seen = np.abs(tape.gradient(middle, image)[0].numpy()).sum(axis=-1) > 0
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    assert (len(rows), len(columns)) == (70, 70)
    assert rows[-1] - rows[0] == columns[-1] - columns[0] == 69
    # Next to each other, patches are 8 pixels apart.
    assert logits.shape[1:3] == (160 // 8 - 2, 160 // 8 - 2)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_gives_float32_pictures_and_logits(precision):
    keras.config.set_dtype_policy(precision)
    image = tf.zeros((1, 32, 32, 3))
    for model in (build_resnet_generator(WIDTH, 1), build_patch_discriminator(WIDTH)):
        outputs = model(image)
        assert outputs.dtype == tf.float32
        assert np.isfinite(outputs).all()

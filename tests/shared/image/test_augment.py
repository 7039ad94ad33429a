"""Random changes of one image: geometry by numpy, colours by Pillow, chances by counting."""

import colorsys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from shared.image import augment, colour, randaugment
from shared.image.geometry import affine, rotation_matrix, shear_matrix, translation_matrix

FUNCTIONS = {
    "flip": augment.random_flip,
    "resized crop": lambda image, seed: augment.random_resized_crop(image, seed, (20, 24)),
    "padded crop": augment.random_crop_with_padding,
    "rotation": lambda image, seed: augment.random_rotation(image, seed, 30.0),
    "colour": lambda image, seed: augment.random_colour(image, seed, 0.4, 0.4, 0.4, 0.1),
    "erasing": lambda image, seed: augment.random_erasing(image, seed, probability=1.0),
    "RandAugment": lambda image, seed: randaugment.rand_augment(image, seed),
}


def noise(height=32, width=40, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return pixels.astype(np.float32)


def smooth(height=32, width=40):
    y, x = np.mgrid[:height, :width].astype(np.float32)
    pixels = [40 + x * 4, 30 + y * 5, 110 + 70 * np.sin(x / 7 + y / 4)]
    return np.stack(pixels, axis=-1).astype(np.uint8).astype(np.float32)


def seeds(count):
    return tf.stack([tf.range(count), tf.range(count) * 7 + 1], axis=1)


def many(function, image, count):
    """The results for many seeds, drawn in one graph."""
    return tf.function(
        lambda all_seeds: tf.map_fn(
            lambda seed: function(tf.constant(image), seed),
            all_seeds,
            fn_output_signature=tf.float32,
        )
    )(seeds(count)).numpy()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_seed_decides_alone(name):
    function, image = FUNCTIONS[name], tf.constant(smooth())
    first, again = function(image, (1, 2)), function(image, (1, 2))
    np.testing.assert_array_equal(first, again)
    assert first.dtype == tf.float32
    assert first.numpy().min() >= 0 and first.numpy().max() <= 255.001
    assert len({function(image, (n, 5)).numpy().tobytes() for n in range(12)}) > 1


@pytest.mark.parametrize("name", FUNCTIONS)
def test_dynamic_size_in_a_graph_gives_the_same(name):
    spec = tf.TensorSpec((None, None, 3), tf.float32)
    graph = tf.function(FUNCTIONS[name], input_signature=[spec, tf.TensorSpec((2,), tf.int32)])
    for seed in ((3, 4), (5, 6)):
        eager = FUNCTIONS[name](tf.constant(smooth()), seed)
        np.testing.assert_allclose(graph(smooth(), seed), eager, atol=1e-3)


def test_flip_rate_and_result():
    image = noise(4, 6)
    flipped = many(augment.random_flip, image, 2000)
    is_flipped = (flipped == image[:, ::-1]).all(axis=(1, 2, 3))
    assert (is_flipped | (flipped == image).all(axis=(1, 2, 3))).all()
    assert abs(is_flipped.mean() - 0.5) < 0.045  # four standard deviations


def windows(shape, count, scale, ratio):
    draw = tf.function(lambda seed: augment.crop_window(tf.constant(shape), seed, scale, ratio))
    pairs = [draw(seed) for seed in seeds(count)]
    return np.array([np.concatenate([start, stop]) for start, stop in pairs])


def test_crop_windows_fill_the_allowed_ranges():
    top, left, bottom, right = windows((300, 400, 3), 600, (0.2, 0.8), (0.5, 2.0)).T
    height, width = bottom - top, right - left
    area, ratio = height * width / 120000, width / height
    assert (top >= 0).all() and (left >= 0).all()
    assert (bottom <= 300).all() and (right <= 400).all()
    assert 0.195 < area.min() < 0.25 and 0.7 < area.max() < 0.805
    assert 0.49 < ratio.min() < 0.6 and 1.7 < ratio.max() < 2.05
    position = top / np.maximum(300 - height, 1)
    assert 0.44 < position.mean() < 0.56 and position.min() < 0.05 and position.max() > 0.95


@pytest.mark.parametrize(("shape", "expected"), [((10, 1000, 3), (10, 13)), ((900, 6, 3), (8, 6))])
def test_crop_of_very_long_images_is_the_centre(shape, expected):
    top, left, bottom, right = windows(shape, 3, (0.9, 1.0), (3 / 4, 4 / 3))[0]
    assert (bottom - top, right - left) == expected
    assert abs(top + bottom - shape[0]) <= 1 and abs(left + right - shape[1]) <= 1


def test_resized_crop_is_the_window_resized_by_pillow():
    image, seed = noise(50, 60), (3, 9)
    start, stop = augment.crop_window(tf.constant((50, 60, 3)), seed, (0.08, 1.0), (3 / 4, 4 / 3))
    window = image[start[0] : stop[0], start[1] : stop[1]].astype(np.uint8)
    expected = Image.fromarray(window).resize((24, 20), Image.Resampling.BILINEAR)
    cropped = augment.random_resized_crop(tf.constant(image), seed, (20, 24))
    assert np.abs(cropped - np.asarray(expected)).max() <= 1.01


@pytest.mark.parametrize("function", [augment.random_resized_crop])
@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1)])
def test_resized_crop_of_thin_images(function, shape):
    cropped = function(tf.fill((*shape, 3), 90.0), (0, 1), 8)
    np.testing.assert_allclose(cropped, np.full((8, 8, 3), 90), atol=1e-3)


def test_padded_crops_are_all_the_shifts():
    image = noise(5, 6)
    padded = np.pad(image, ((2, 2), (2, 2), (0, 0)), "reflect")
    shifts = {padded[y : y + 5, x : x + 6].tobytes() for y in range(5) for x in range(5)}
    crops = many(lambda one, seed: augment.random_crop_with_padding(one, seed, 2), image, 300)
    assert {crop.tobytes() for crop in crops} == shifts


@pytest.mark.parametrize("degrees", [0.0, 90.0, -90.0, 180.0])
def test_rotation_by_right_angles(degrees):
    image = noise(21, 21)
    rotated = affine(tf.constant(image), rotation_matrix(tf.constant(degrees)))
    np.testing.assert_allclose(rotated, np.rot90(image, degrees // 90), atol=0.05)


def test_rotation_equals_pillow():
    image = smooth(41, 61)
    expected = Image.fromarray(image.astype(np.uint8)).rotate(25, Image.Resampling.BILINEAR)
    rotated = affine(tf.constant(image), rotation_matrix(tf.constant(25.0))).numpy()
    apart = np.abs(rotated - np.asarray(expected))
    assert apart[10:-10, 20:-20].max() <= 2 and np.median(apart) <= 1


def test_rotation_angles_and_fill():
    corner = many(lambda one, seed: augment.random_rotation(one, seed, 40.0, 7.0), smooth(), 20)
    assert (corner[:, 0, 0] == 7).all(axis=-1).mean() > 0.7


def test_translation_and_shear():
    image = noise(20, 20)
    moved = affine(tf.constant(image), translation_matrix(x=tf.constant(3.0)), fill=5.0).numpy()
    np.testing.assert_allclose(moved[:, :17], image[:, 3:], atol=1e-3)
    assert (moved[:, 17:] == 5).all()
    sheared = affine(tf.constant(image), shear_matrix(x=tf.constant(2.0))).numpy()
    # The rows 9 and 10 are half a pixel from the centre: they move by one pixel.
    np.testing.assert_allclose(sheared[10, :19], image[10, 1:], atol=1e-3)
    np.testing.assert_allclose(sheared[9, 1:], image[9, :19], atol=1e-3)


def muted():
    return noise() // 2 + 40


def pillow(image):
    return Image.fromarray(image.astype(np.uint8))


COLOUR = {
    "brightness 0.4": (
        lambda i: colour.adjust_brightness(i, 0.4),
        lambda p: ImageEnhance.Brightness(p).enhance(0.4),
    ),
    "brightness 1.8": (
        lambda i: colour.adjust_brightness(i, 1.8),
        lambda p: ImageEnhance.Brightness(p).enhance(1.8),
    ),
    "contrast 0.3": (
        lambda i: colour.adjust_contrast(i, 0.3),
        lambda p: ImageEnhance.Contrast(p).enhance(0.3),
    ),
    "contrast 1.7": (
        lambda i: colour.adjust_contrast(i, 1.7),
        lambda p: ImageEnhance.Contrast(p).enhance(1.7),
    ),
    "saturation 0.2": (
        lambda i: colour.adjust_saturation(i, 0.2),
        lambda p: ImageEnhance.Color(p).enhance(0.2),
    ),
    "saturation 1.9": (
        lambda i: colour.adjust_saturation(i, 1.9),
        lambda p: ImageEnhance.Color(p).enhance(1.9),
    ),
    "sharpness 0.1": (
        lambda i: colour.adjust_sharpness(i, 0.1),
        lambda p: ImageEnhance.Sharpness(p).enhance(0.1),
    ),
    "sharpness 1.9": (
        lambda i: colour.adjust_sharpness(i, 1.9),
        lambda p: ImageEnhance.Sharpness(p).enhance(1.9),
    ),
    "smooth": (lambda i: colour.adjust_sharpness(i, 0.0), lambda p: p.filter(ImageFilter.SMOOTH)),
    "autocontrast": (colour.autocontrast, ImageOps.autocontrast),
    "equalize": (colour.equalize, ImageOps.equalize),
    "posterize 3": (
        lambda i: colour.posterize(i, tf.constant(3)),
        lambda p: ImageOps.posterize(p, 3),
    ),
    "solarize 100": (lambda i: colour.solarize(i, 100.0), lambda p: ImageOps.solarize(p, 100)),
}


@pytest.mark.parametrize("kind", COLOUR)
@pytest.mark.parametrize("picture", [smooth, muted])
def test_colour_equals_pillow(kind, picture):
    ours, theirs = COLOUR[kind]
    image = picture()
    expected = np.asarray(theirs(pillow(image))).astype(np.float32)
    assert np.abs(expected - image).max() >= 2
    # Pillow rounds in between; a sharpened or contrasted error of half a level grows by 1.9.
    assert np.abs(ours(tf.constant(image)) - expected).max() <= 2


@pytest.mark.parametrize("function", [colour.autocontrast, colour.equalize])
def test_a_constant_image_stays(function):
    image = tf.fill((5, 6, 3), 77.0)
    np.testing.assert_array_equal(function(image), image)


@pytest.mark.parametrize("turn", [-0.3, 0.1, 0.5])
def test_hue_equals_colorsys(turn):
    image = noise(6, 6)
    expected = [
        colorsys.hsv_to_rgb((hue + turn) % 1.0, saturation, value)
        for hue, saturation, value in (colorsys.rgb_to_hsv(*p) for p in image.reshape(-1, 3) / 255)
    ]
    expected = np.reshape(expected, image.shape) * 255
    np.testing.assert_allclose(colour.adjust_hue(tf.constant(image), turn), expected, atol=0.05)


def test_random_brightness_stays_in_its_range():
    grey = np.full((2, 2, 3), 100, np.float32)
    values = many(lambda one, s: augment.random_colour(one, s, brightness=0.4), grey, 300)[
        :, 0, 0, 0
    ]
    assert 60 <= values.min() < 65 and 135 < values.max() <= 140


def covered(image, results):
    return (results != image).any(axis=-1)


def test_erasing_rate_area_and_rectangle():
    image = np.full((40, 50, 3), 300, np.float32)  # no fill has this colour
    erase = augment.random_erasing
    results = covered(image, many(lambda one, s: erase(one, s, 0.3, (0.1, 0.3)), image, 500))
    hit = results.any(axis=(1, 2))
    assert abs(hit.mean() - 0.3) < 0.085
    areas = results[hit].mean(axis=(1, 2))
    assert 0.09 < areas.min() < 0.13 and 0.26 < areas.max() < 0.31
    for mask in results[hit]:
        rows, columns = np.nonzero(mask)
        assert mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].all()


def test_erasing_fills():
    image = tf.fill((30, 30, 3), 300.0)
    constant = augment.random_erasing(image, (1, 1), 1.0, fill=12.0).numpy()
    assert set(np.unique(constant)) == {12, 300}
    coloured = augment.random_erasing(image, (1, 1), 1.0).numpy()
    assert len(np.unique(coloured)) > 30


def test_randaugment_has_the_fourteen_operations_and_uses_all():
    assert len(randaugment.OPERATIONS) == 14
    image = smooth()
    results = many(lambda one, s: randaugment.rand_augment(one, s, num_ops=1), image, 400)
    kinds = {result.tobytes() for result in results}
    # Nine operations have two signs; five have none.
    assert len(kinds) == 2 * 9 + 5
    unchanged = (results == image).all(axis=(1, 2, 3)).mean()
    assert abs(unchanged - 1 / 14) < 0.052


def test_randaugment_grows_with_the_magnitude():
    image = tf.constant(smooth())
    graph = tf.function(
        lambda seed, magnitude: randaugment.rand_augment(image, seed, 2, magnitude),
        input_signature=[tf.TensorSpec((2,), tf.int32), tf.TensorSpec((), tf.float32)],
    )
    apart = [
        np.mean([np.abs(graph(seed, magnitude) - image).mean() for seed in seeds(60)])
        for magnitude in (2.0, 10.0, 25.0)
    ]
    assert apart[0] < apart[1] < apart[2]

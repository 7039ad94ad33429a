"""Mosaic, affine maps and flips: the boxes go where the pixels go."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from apps.vision.detection.config import AugmentConfig
from apps.vision.detection.mosaic import FILL, Picture, mixup, mosaic, square
from apps.vision.detection.warp import random_affine, random_flips

RED, BLUE = (255, 0, 0), (0, 0, 255)
NOTHING = AugmentConfig(
    translation=0, scale=0, horizontal_flip=0, vertical_flip=0, hue=0, saturation=0, value=0
)


def seed(number):
    return tf.constant([7, number], tf.int32)


def picture(height, width, box, colour=RED):
    """A black picture with a rectangle of a colour, which is its only object."""
    image = np.zeros((height, width, 3), np.uint8)
    left, top, right, bottom = box
    image[top:bottom, left:right] = colour
    return Picture(
        tf.constant(image), tf.constant([box], tf.float32), tf.constant([colour[2] // 255])
    )


def box_of(image, colour):
    """The smallest box around the pixels that are nearer to a colour than to black or grey."""
    near = np.abs(np.asarray(image, np.int32) - colour).sum(axis=-1) < 250
    rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])


def test_square_centres_on_grey():
    result = square(picture(20, 32, (4, 5, 14, 17)), 32)
    assert result.image.shape == (32, 32, 3)
    np.testing.assert_array_equal(result.boxes[0], box_of(result.image, RED))
    assert (result.image[:6].numpy() == FILL).all() and (result.image[6:26].numpy() != FILL).any()


@pytest.mark.parametrize("number", range(5))
def test_mosaic_equals_pasting_by_hand(number):
    generator = np.random.default_rng(number)
    side = 40
    parts = []
    for label in range(4):
        height, width = generator.integers(10, side + 1, 2)
        image = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
        parts.append(
            Picture(
                tf.constant(image),
                tf.constant([[1, 2, width - 2, height - 1]], tf.float32),
                tf.constant([label]),
            )
        )
    result = mosaic(parts, seed(number), side)
    share = 0.5 + tf.random.stateless_uniform((2,), seed(number)).numpy()
    y, x = np.round(share * side).astype(int)
    # On a canvas with room on all sides, of which the middle is kept.
    canvas = np.full((4 * side, 4 * side, 3), FILL, np.uint8)
    for index, part in enumerate(parts):
        height, width = part.image.shape[:2]
        top = side + y - (height if index < 2 else 0)
        left = side + x - (width if index % 2 == 0 else 0)
        canvas[top : top + height, left : left + width] = part.image
        expected = [
            left - side + 1,
            top - side + 2,
            left - side + width - 2,
            top - side + height - 1,
        ]
        np.testing.assert_array_equal(result.boxes[index], expected)
    np.testing.assert_array_equal(result.image, canvas[side : 3 * side, side : 3 * side])
    assert result.labels.numpy().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize("turn", [{"rotation": 30.0}, {"shear": 20.0}, {}])
def test_boxes_move_as_the_pixels_do(number, turn):
    config = dataclasses.replace(NOTHING, translation=0.1, scale=0.3, **turn)
    before = square(picture(100, 128, (50, 40, 84, 66)), 128)
    after = random_affine(before, seed(number), 128, config)
    # Half a pixel of interpolation on each side, and the corners of what is turned.
    np.testing.assert_allclose(after.boxes[0], box_of(after.image, RED), atol=2.5)


def test_nothing_to_do_changes_nothing():
    before = square(picture(64, 64, (10, 12, 30, 40)), 64)
    after = random_affine(before, seed(1), 64, NOTHING)
    np.testing.assert_array_equal(after.image, before.image)
    np.testing.assert_allclose(after.boxes, before.boxes, atol=1e-4)


def test_the_middle_of_a_large_canvas_is_taken():
    canvas = picture(128, 128, (60, 50, 80, 90))
    after = random_affine(canvas, seed(1), 64, NOTHING)
    np.testing.assert_array_equal(after.image, canvas.image[32:96, 32:96])
    np.testing.assert_allclose(after.boxes[0], [28, 18, 48, 58], atol=1e-4)


def test_objects_out_of_sight_are_no_targets():
    canvas = picture(128, 128, (0, 0, 20, 20))
    assert len(random_affine(canvas, seed(1), 64, NOTHING).boxes) == 0
    # Nine tenths and more are outside: 20 x 20 pixels, of which 2 x 20 can be seen.
    canvas = picture(128, 128, (14, 50, 34, 70))
    assert len(random_affine(canvas, seed(1), 64, NOTHING).boxes) == 1
    canvas = picture(128, 128, (13, 50, 33, 70))
    assert len(random_affine(canvas, seed(1), 64, NOTHING).boxes) == 0


@pytest.mark.parametrize("flips", [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)])
def test_flips(flips):
    config = dataclasses.replace(NOTHING, horizontal_flip=flips[0], vertical_flip=flips[1])
    before = picture(40, 60, (5, 6, 20, 30))
    after = random_flips(before, seed(3), config)
    expected = before.image.numpy()[:: -1 if flips[1] else 1, :: -1 if flips[0] else 1]
    np.testing.assert_array_equal(after.image, expected)
    np.testing.assert_array_equal(after.boxes[0], box_of(after.image, RED))


def test_flips_as_often_as_asked():
    config = dataclasses.replace(NOTHING, horizontal_flip=0.3)
    before = picture(4, 6, (0, 0, 2, 2))
    flipped = [random_flips(before, seed(n), config).boxes[0, 0].numpy() > 0 for n in range(400)]
    assert 0.22 < np.mean(flipped) < 0.38


def test_mixup_blends_and_keeps_both():
    first, second = picture(8, 8, (0, 0, 4, 4), RED), picture(8, 8, (2, 2, 8, 8), BLUE)
    mixed = mixup(first, second, tf.constant(0.25))
    assert mixed.image[1, 1].numpy().tolist() == [64, 0, 0]
    assert mixed.image[6, 6].numpy().tolist() == [0, 0, 191]
    assert mixed.boxes.shape == (2, 4) and mixed.labels.numpy().tolist() == [0, 1]

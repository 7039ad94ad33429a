"""The image pool against a plain Python one, on one and on two devices."""

import numpy as np
import pytest
import tensorflow as tf

from apps.generative.cyclegan.image_pool import ImagePool
from shared.engine.distribution import replicas
from shared.engine.training.checkpoint import CheckpointFolder

SHAPE = (4, 4, 3)


class PlainPool:
    """The pool as the paper's authors describe it: image by image, in a list."""

    def __init__(self, size):
        self.size, self.images = size, []

    def exchange(self, image, chance, slot):
        if len(self.images) < self.size:
            self.images.append(image)
            return image
        if chance < 0.5:
            return image
        index = int(slot * self.size)
        old, self.images[index] = self.images[index], image
        return old


def batches(sizes, seed=0):
    """Images whose pixels are all their own number, and draws."""
    generator, number = np.random.default_rng(seed), 0
    for size in sizes:
        numbers = np.arange(number, number + size, dtype=np.float32)
        number += size
        images = np.broadcast_to(numbers[:, None, None, None], (size, *SHAPE))
        yield images.copy(), generator.random((size, 2)).astype(np.float32)


def expected_numbers(pool_size, sizes):
    plain = PlainPool(pool_size)
    return [
        [plain.exchange(image[0, 0, 0], *draw) for image, draw in zip(*batch, strict=True)]
        for batch in batches(sizes)
    ], plain


@pytest.mark.parametrize("pool_size", [1, 3, 10])
@pytest.mark.parametrize("sizes", [[1] * 30, [4, 4, 4, 4, 4], [7, 1, 5, 12]])
def test_equals_a_plain_pool(pool_size, sizes):
    expected, plain = expected_numbers(pool_size, sizes)
    pool = ImagePool(pool_size, SHAPE)
    for (images, draws), numbers in zip(batches(sizes), expected, strict=True):
        given = pool.exchange(tf.constant(images), tf.constant(draws)).numpy()
        assert (given == given[:, :1, :1, :1]).all()
        np.testing.assert_array_equal(given[:, 0, 0, 0], numbers)
    held = int(pool.count)
    assert held == len(plain.images)
    np.testing.assert_array_equal(np.asarray(pool.images)[:held, 0, 0, 0], plain.images)


def test_without_places_it_gives_back_what_it_gets():
    pool = ImagePool(0, SHAPE)
    images = tf.random.uniform((3, *SHAPE))
    np.testing.assert_array_equal(pool.exchange(images, tf.ones((3, 2))), images)
    assert pool.variables == []


def test_two_devices_have_one_pool(two_devices):
    sizes = [5, 4, 7, 2, 6]
    expected, plain = expected_numbers(4, sizes)
    with two_devices.scope():
        pool = ImagePool(4, SHAPE)

    @tf.function
    def exchange(batch):
        return two_devices.run(lambda b: pool.exchange(*b), args=(batch,))

    for batch, numbers in zip(batches(sizes), expected, strict=True):
        tensors = tuple(map(tf.constant, batch))
        given = exchange(replicas.split(two_devices, tensors))
        parts = [part.numpy() for part in two_devices.experimental_local_results(given)]
        np.testing.assert_array_equal(np.concatenate(parts)[:, 0, 0, 0], numbers)
    for copy in two_devices.experimental_local_results(pool.images.value):
        np.testing.assert_array_equal(copy.numpy()[:, 0, 0, 0], plain.images)


def test_checkpoints_hold_it(tmp_path):
    pool, other = ImagePool(3, SHAPE), ImagePool(3, SHAPE)
    for images, draws in batches([5]):
        pool.exchange(tf.constant(images), tf.constant(draws))
    folder = CheckpointFolder(tmp_path)
    folder.save(1, {v.path: v for v in pool.variables}, {})
    folder.load_latest({v.path: v for v in other.variables})
    np.testing.assert_array_equal(pool.images, other.images)
    assert int(other.count) == 3


def test_swaps_half_of_the_time():
    pool = ImagePool(50, SHAPE)
    new = []
    for images, draws in batches([10] * 100):
        given = pool.exchange(tf.constant(images), tf.constant(draws)).numpy()
        new.append((given[:, 0, 0, 0] == images[:, 0, 0, 0]).mean())
    assert np.mean(new[:5]) == 1.0
    assert np.mean(new[5:]) == pytest.approx(0.5, abs=0.05)

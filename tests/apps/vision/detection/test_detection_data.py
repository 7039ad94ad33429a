"""The stream of training batches and the images that evaluation and serving see."""

import numpy as np
import pytest
import tensorflow as tf

from apps.vision.detection import data
from apps.vision.detection.annotations.image_boxes import ImageBoxes
from apps.vision.detection.config import DetectConfig
from apps.vision.detection.letterbox_boxes import to_original, to_square
from apps.vision.detection.sampling import repeat_factors, weighted_indices
from shared.common import config as configs
from shared.image.image_file import read_images, write_images
from shared.image.image_store import ImageStore

SIDE = 64


def image_boxes(path, width, height, boxes, labels, **more):
    count = len(boxes)
    return ImageBoxes(
        str(path), width, height,
        np.array(boxes, np.float32).reshape(count, 4), np.array(labels, np.int32),
        np.zeros(count, bool) if "crowd" not in more else np.array(more["crowd"]),
    )  # fmt: skip


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Ten images of one colour each with 0 to 3 boxes."""
    folder = tmp_path_factory.mktemp("images")
    generator = np.random.default_rng(0)
    found = []
    for index in range(10):
        width, height = (int(n) for n in generator.integers(40, 120, 2))
        path = folder / f"{index}.png"
        pixels = np.full((height, width, 3), 10 + 20 * index, np.uint8)
        tf.io.write_file(str(path), tf.io.encode_png(pixels))
        count = index % 4
        corners = np.sort(generator.uniform(0, 1, (count, 2, 2)), axis=1).reshape(count, 4)
        found.append(image_boxes(path, width, height, corners, generator.integers(0, 3, count)))
    return found


def config(**changes):
    given = {"preset": "test", "model.image_size": SIDE, **changes}
    return configs.resolve(DetectConfig, given)


def store(images, cache="memory"):
    return ImageStore(images, cache, 1, lambda image: data.fitted(image, SIDE))


def batches(images, count, last_mosaic_step=100, start=0, worker=(0, 1), **changes):
    stream = data.training_dataset(
        store(images), images, config(**changes), last_mosaic_step, start, worker
    )
    return [tf.nest.map_structure(lambda x: x.numpy(), batch) for batch in stream.take(count)]


def assert_equal(left, right):
    tf.nest.map_structure(np.testing.assert_array_equal, left, right)


@pytest.mark.parametrize("size", [(1, 1), (640, 480), (33, 500), (64, 64), (7, 3000), (65, 63)])
def test_what_is_kept_and_padded_is_what_serving_makes(size):
    generator = np.random.default_rng(1)
    image = tf.constant(generator.integers(0, 256, (*size, 3), dtype=np.uint8))
    kept = data.fitted(image, SIDE)
    picture = data.Picture(kept, tf.zeros((0, 4)), tf.zeros((0,), tf.int32))
    padded = data.square(picture, SIDE).image
    np.testing.assert_array_equal(tf.cast(padded, tf.float32), data.network_image(image, SIDE))


def test_boxes_to_the_square_and_back():
    generator = np.random.default_rng(2)
    boxes = np.sort(generator.uniform(0, 1, (20, 3, 2, 2)), axis=2).reshape(20, 3, 4)
    heights, widths = generator.integers(1, 3000, (2, 20))
    there = to_square(boxes, heights, widths, SIDE)
    back = to_original(there, heights, widths, SIDE)
    np.testing.assert_allclose(back, boxes, atol=1e-3)


def test_a_resumed_stream_goes_on_and_workers_share_it(images):
    whole = batches(images, 5)
    for step, batch in enumerate(batches(images, 2, start=3)):
        assert_equal(batch, whole[3 + step])
    parts = [batches(images, 2, worker=(index, 2)) for index in range(2)]
    for step in range(2):
        np.testing.assert_array_equal(
            np.concatenate([part[step][0] for part in parts]), whole[step][0]
        )
        boxes = sum(part[step][1]["mask"].sum() for part in parts)
        assert boxes == whole[step][1]["mask"].sum()


def test_mosaic_ends_at_its_step(images):
    plain = {f"augment.{name}": 0.0 for name in ("hue", "saturation", "value", "scale")}
    plain |= {"augment.translation": 0.0, "augment.mosaic": 1.0}
    last = batches(images, 4, last_mosaic_step=2, **plain)
    colours = [[len(np.unique(x[x != 114])) for x in batch[0]] for batch in last]
    # One colour an image; a mosaic of four has mostly more.
    assert max(colours[0] + colours[1]) > 1
    assert set(colours[2] + colours[3]) == {1}


def test_targets_end_with_a_row_that_is_no_box(images):
    for x, y in batches(images, 4, last_mosaic_step=0):
        assert x.shape == (4, SIDE, SIDE, 3) and x.dtype == np.float32
        assert not y["mask"][:, -1].any()
        inside = y["boxes"][y["mask"]]
        assert (inside >= 0).all() and (inside <= 1).all()
        assert (inside[:, 2:] > inside[:, :2]).all()


def test_every_batch_of_multi_scale_has_a_size_of_its_own(images):
    changes = {"augment.multi_scale": 0.5, "batch_size": 2}
    sizes = [x.shape[1:3] for x, _ in batches(images, 12, **changes)]
    assert {height for height, _ in sizes} == {32, 64, 96}
    assert all(height == width for height, width in sizes)
    again = [x.shape[1:3] for x, _ in batches(images, 12, worker=(1, 2), **changes)]
    assert again == sizes


def test_evaluation_sees_each_image_once_in_order(images):
    found = list(data.evaluation_dataset(store(images, "off"), images, config(batch_size=3)))
    assert [len(x) for x, _ in found] == [3, 3, 3, 1]
    colours = [np.median(image) for x, _ in found for image in x.numpy()[:, 31:33, 31:33]]
    assert colours == [10 + 20 * index for index in range(10)]
    boxes = np.concatenate([y["boxes"].numpy()[y["mask"].numpy()] for _, y in found])
    expected = [
        to_square(image.boxes[None], [image.height], [image.width], SIDE)[0] for image in images
    ]
    np.testing.assert_allclose(boxes, np.concatenate(expected), atol=1e-5)


def test_crowds_are_no_targets():
    crowd = image_boxes("x", 10, 10, [[0, 0, 1, 1], [0, 0, 0.5, 0.5]], [0, 1], crowd=[True, False])
    found = data.gather_boxes([crowd], SIDE)
    assert found.labels.numpy().tolist() == [1] and found.ends.numpy().tolist() == [0, 1]


def test_rare_classes_are_drawn_more_often():
    images = [image_boxes("x", 9, 9, [[0, 0, 1, 1]], [0]) for _ in range(9)]
    images.append(image_boxes("x", 9, 9, [[0, 0, 1, 1]], [1]))
    factors = repeat_factors(images)
    np.testing.assert_allclose(factors[[0, 9]], [0.9**-0.5, 0.1**-0.5])
    seeds = tf.stack([tf.fill([3000], 3), tf.range(3000)], axis=1)
    draws = tf.data.Dataset.from_tensor_slices(seeds).map(lambda s: weighted_indices(factors, s))
    draws = list(draws.as_numpy_iterator())
    shares = np.bincount(draws, minlength=10) / 3000
    np.testing.assert_allclose(shares, factors / factors.sum(), atol=0.025)


def test_the_list_of_images_survives_exactly(tmp_path, images):
    write_images(images, tmp_path / "images.jsonl")
    again = read_images(ImageBoxes, tmp_path / "images.jsonl")
    for left, right in zip(images, again, strict=True):
        assert (left.path, left.width, left.height) == (right.path, right.width, right.height)
        np.testing.assert_array_equal(left.boxes, right.boxes)
        assert left.boxes.dtype == right.boxes.dtype
        np.testing.assert_array_equal(left.labels, right.labels)

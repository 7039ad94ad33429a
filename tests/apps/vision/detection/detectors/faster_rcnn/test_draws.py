"""The random numbers of a training step come with the data and depend on seed and step alone."""

import numpy as np
import pytest
import tensorflow as tf

from apps.vision.detection import data
from apps.vision.detection.annotations.image_boxes import ImageBoxes
from apps.vision.detection.config import DetectConfig
from apps.vision.detection.detectors.faster_rcnn.anchors import anchor_count
from shared.common import config as configs
from shared.image.image_store import ImageStore

SIDE, PROPOSALS = 64, 20
NAMES = ("anchor_draws", "region_draws")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Six grey images with 0 to 2 boxes."""
    folder = tmp_path_factory.mktemp("images")
    found = []
    for index in range(6):
        path, count = folder / f"{index}.png", index % 3
        tf.io.write_file(str(path), tf.io.encode_png(np.full((50, 60, 3), 99, np.uint8)))
        boxes = np.tile(np.float32([0.1, 0.2, 0.6, 0.7]), (count, 1))
        labels, crowd = np.zeros(count, np.int32), np.zeros(count, bool)
        found.append(ImageBoxes(str(path), 60, 50, boxes, labels, crowd))
    return found


def batches(images, count, start=0, worker=(0, 1), architecture="faster-rcnn", **changes):
    given = {"preset": "test", "model.image_size": SIDE, "model.architecture": architecture}
    if architecture == "faster-rcnn":
        given["faster_rcnn.proposals"] = PROPOSALS
    given["augment.mosaic"] = 0.0  # takes long to trace
    config = configs.resolve(DetectConfig, given | changes)
    store = ImageStore(images, "memory", 1, lambda image: data.fitted(image, SIDE))
    stream = data.training_dataset(store, images, config, 100, start, worker)
    return [tf.nest.map_structure(lambda x: x.numpy(), batch) for batch in stream.take(count)]


def test_one_for_each_anchor_proposal_and_row_of_the_targets(images):
    for x, y in batches(images, 3):
        assert y["anchor_draws"].shape == (4, anchor_count(SIDE, SIDE))
        assert y["region_draws"].shape == (4, PROPOSALS + y["mask"].shape[1])
        for row in range(4):
            used = y["region_draws"][row, : PROPOSALS + y["mask"][row].sum()]
            assert len(set(used)) == len(used) and used.min() >= 0 and used.max() < 1
        assert abs(y["anchor_draws"].mean() - 0.5) < 0.05
        assert len(np.unique(y["anchor_draws"])) > 0.99 * y["anchor_draws"].size
        assert len(x) == 4


def test_a_resumed_stream_and_workers_draw_the_same(images):
    whole = batches(images, 2)
    resumed = batches(images, 1, start=1)
    parts = [batches(images, 1, worker=(index, 2)) for index in range(2)]
    for name in NAMES:
        np.testing.assert_array_equal(resumed[0][1][name], whole[1][1][name])
        together = np.concatenate([part[0][1]["anchor_draws"] for part in parts])
        np.testing.assert_array_equal(together, whole[0][1]["anchor_draws"])


def test_enough_for_images_of_every_size(images):
    (_, y), *_ = batches(images, 1, **{"augment.multi_scale": 0.6})
    assert y["anchor_draws"].shape == (4, anchor_count(128, 128))  # 64 * 1.6 = 102.4


def test_others_and_the_evaluation_draw_nothing(images):
    with_draws, without = batches(images, 1)[0], batches(images, 1, architecture="yolo")[0]
    assert not set(NAMES) & set(without[1])
    np.testing.assert_array_equal(with_draws[0], without[0])
    for name, value in without[1].items():
        np.testing.assert_array_equal(with_draws[1][name], value)
    config = configs.resolve(DetectConfig, {"preset": "test", "model.architecture": "faster-rcnn"})
    store = ImageStore(images, "memory", 1, lambda image: data.fitted(image, SIDE))
    _, y = next(iter(data.evaluation_dataset(store, images, config)))
    assert not set(NAMES) & set(y)

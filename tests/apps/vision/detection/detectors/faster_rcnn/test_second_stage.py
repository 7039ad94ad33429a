"""The sample of regions, the head and its loss against NumPy and loops."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.vision.detection.detectors.faster_rcnn.proposals import Proposals
from apps.vision.detection.detectors.faster_rcnn.region_head import RegionHead, region_loss
from apps.vision.detection.detectors.faster_rcnn.region_sampling import sample_regions
from tests.apps.vision.detection.detectors.faster_rcnn.test_first_stage import (
    plain_iou,
    plain_offsets,
    plain_sample,
    some_boxes,
)

RANDOM = np.random.default_rng(1)
CLASSES = 3


def near(boxes, count):
    """Proposals about the boxes of an image."""
    chosen = boxes[:, RANDOM.integers(0, boxes.shape[1], count)]
    shifts = RANDOM.normal(0, 0.04, chosen.shape)
    moved = (chosen + shifts).clip(0, 1)
    lower, upper = (
        np.minimum(moved[..., :2], moved[..., 2:]),
        np.maximum(moved[..., :2], moved[..., 2:]),
    )
    return np.concatenate([lower, upper + 0.01], axis=-1).astype("float32")


def some_regions(samples=24, proposed=40):
    boxes, mask = some_boxes(3, 5, smallest=0.1)
    labels = RANDOM.integers(0, CLASSES, (3, 5)).astype("int32")
    is_proposed = np.broadcast_to(np.arange(proposed) < [[proposed], [6], [9]], (3, proposed))
    proposals = Proposals(near(boxes, proposed), is_proposed)
    draws = RANDOM.uniform(size=(3, proposed + 5)).astype("float32")
    y = {"boxes": boxes, "labels": labels, "mask": mask}
    regions = sample_regions(proposals, y, draws, samples)
    return proposals, y, draws, regions


def test_sampled_regions_against_loops():
    proposals, y, draws, regions = some_regions()
    for image in range(3):
        boxes = np.concatenate([proposals.boxes[image], y["boxes"][image]])
        is_region = np.concatenate([proposals.mask[image], y["mask"][image]])
        truth = np.flatnonzero(y["mask"][image])
        iou = np.array([[plain_iou(box, y["boxes"][image, m]) for m in truth] for box in boxes])
        best = iou.reshape(len(boxes), -1).max(axis=1, initial=0)
        positive = is_region & (best >= 0.5)
        chosen, others = plain_sample(positive, is_region & ~positive, draws[image], 24, 6)
        count = len(chosen) + len(others)
        assert np.asarray(regions.is_sampled[image]).tolist() == [True] * count + [False] * (
            24 - count
        )
        np.testing.assert_array_equal(regions.boxes[image][:count], boxes[chosen + others])
        assert int(tf.reduce_sum(tf.cast(regions.is_object[image], "int32"))) == len(chosen)
        for place, n in enumerate(chosen):
            own = truth[iou[n].argmax()]
            assert int(regions.labels[image, place]) == y["labels"][image, own] + 1
            assert plain_iou(boxes[n], np.asarray(regions.true_boxes[image, place])) == (
                pytest.approx(iou[n].max(), abs=1e-6)
            )
        assert not np.asarray(regions.labels[image])[len(chosen) :].any()


def test_boxes_without_area_are_no_regions():
    box = np.float32([[[0.4, 0.2, 0.4, 0.7]]])
    y = {"boxes": box, "labels": np.int32([[0]]), "mask": np.array([[True]])}
    proposals = Proposals(np.zeros((1, 2, 4), "float32"), np.zeros((1, 2), bool))
    regions = sample_regions(proposals, y, np.ones((1, 3), "float32"), 4)
    assert not np.asarray(regions.is_sampled).any()
    terms = region_loss(tf.zeros((1, 3, 2)), tf.zeros((1, 3, 1, 4)), regions)
    assert {float(value) for value in terms.values()} == {0.0}


def test_the_loss_of_the_second_stage_against_loops():
    _, _, _, regions = some_regions()
    class_logits = RANDOM.normal(size=(3, 24, CLASSES + 1)).astype("float32")
    offsets = RANDOM.normal(size=(3, 24, CLASSES, 4)).astype("float32")
    terms = region_loss(class_logits, offsets, regions)
    classes = distances = 0.0
    for image, place in np.argwhere(np.asarray(regions.is_sampled)):
        size = int(np.asarray(regions.is_sampled[image]).sum())
        label = int(regions.labels[image, place])
        logits = class_logits[image, place].astype("float64")
        classes -= (logits[label] - np.log(np.exp(logits).sum())) / size
        if label > 0:
            wanted = plain_offsets(
                regions.true_boxes[image, place], regions.boxes[image, place], (0.1, 0.1, 0.2, 0.2)
            )
            for d in np.abs(offsets[image, place, label - 1] - wanted):
                distances += (4.5 * d * d if d < 1 / 9 else d - 1 / 18) / size
    assert float(terms["class"]) == pytest.approx(classes / 3, rel=1e-4)
    assert float(terms["box"]) == pytest.approx(distances / 3, rel=1e-4)


def test_only_the_offsets_of_the_own_class_learn():
    _, _, _, regions = some_regions()
    offsets = tf.constant(RANDOM.normal(size=(3, 24, CLASSES, 4)).astype("float32"))
    with tf.GradientTape() as tape:
        tape.watch(offsets)
        terms = region_loss(tf.zeros((3, 24, CLASSES + 1)), offsets, regions)
    moved = np.abs(np.asarray(tape.gradient(terms["box"], offsets))).sum(axis=-1) > 0
    wanted = np.eye(CLASSES + 1, dtype=bool)[np.asarray(regions.labels)][..., 1:]
    np.testing.assert_array_equal(moved, wanted)


def test_the_head_says_what_is_in_a_region_wherever_it_lies():
    """The same pixels at two places give the same answers; each region has its own."""
    head = RegionHead(CLASSES, 16)
    head.build([(None, None, None, 4)] * 2)
    features = RANDOM.normal(size=(1, 16, 32, 4)).astype("float32")
    features[:, :, 16:] = features[:, :, :16]
    maps = [features, features[:, ::2, ::2]]
    boxes = np.float32([[[0.1, 0.2, 0.2, 0.5], [0.6, 0.2, 0.7, 0.5], [0.1, 0.2, 0.3, 0.5]]])
    class_logits, offsets = (np.asarray(x)[0] for x in head(maps, boxes))
    assert class_logits.shape == (3, CLASSES + 1) and offsets.shape == (3, CLASSES, 4)
    for values in (class_logits, offsets):
        np.testing.assert_allclose(values[0], values[1], atol=1e-6)
        assert np.abs(values[0] - values[2]).max() > 1e-5
    revived = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(head))
    revived.set_weights(head.get_weights())
    np.testing.assert_array_equal(revived(maps, boxes)[0], head(maps, boxes)[0])

"""Anchors, their targets, samples, the loss and the proposals against NumPy and loops."""

import math

import numpy as np
import pytest
import tensorflow as tf

from apps.vision.detection.detectors.faster_rcnn.anchors import anchor_boxes, anchor_count
from apps.vision.detection.detectors.faster_rcnn.balanced_sample import balanced_sample, even_draws
from apps.vision.detection.detectors.faster_rcnn.proposals import propose
from apps.vision.detection.detectors.faster_rcnn.region_proposal import (
    anchor_targets,
    proposal_loss,
)

RANDOM = np.random.default_rng(0)


def plain_iou(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    meet = max(width, 0) * max(height, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - meet
    return meet / union if union > 0 else 0.0


def some_boxes(images, count, smallest=0.03):
    """Some of them coincide; the last image has none."""
    centres = RANDOM.uniform(0, 1, (images, count, 2))
    halves = RANDOM.uniform(smallest, 0.5, (images, count, 2)) / 2
    boxes = np.concatenate([centres - halves, centres + halves], axis=-1).clip(0, 1)
    boxes[:, -1] = boxes[:, 0]
    mask = RANDOM.uniform(size=(images, count)) < 0.8
    mask[-1] = False
    return boxes.astype("float32"), mask


# === Anchors ===


def plain_anchors(height, width, scale):
    boxes = []
    for stride in (8, 16, 32, 64, 128):
        rows, columns = math.ceil(height / stride), math.ceil(width / stride)
        for row in range(rows):
            for column in range(columns):
                for ratio in (0.5, 1, 2):
                    w, h = scale * stride / math.sqrt(ratio), scale * stride * math.sqrt(ratio)
                    x, y = (column + 0.5) / columns * width, (row + 0.5) / rows * height
                    boxes.append([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
    return np.array(boxes) / [width, height, width, height]


@pytest.mark.parametrize("height, width, scale", [(64, 128, 4.0), (160, 96, 2.5)])
def test_anchors_against_loops(height, width, scale):
    expected = plain_anchors(height, width, scale)
    np.testing.assert_allclose(anchor_boxes(height, width, scale), expected, atol=1e-6)
    assert anchor_count(height, width) == len(expected)
    traced = tf.function(lambda h, w: anchor_boxes(h, w, scale))
    found = traced(tf.constant(height), tf.constant(width))
    np.testing.assert_allclose(found, expected, atol=1e-6)


# === Samples ===


def plain_sample(positive, negative, draws, count, most_positive):
    """The candidates with the largest draws: first the positive ones, then the others."""
    order = np.argsort(-draws)
    chosen = [n for n in order if positive[n]][:most_positive]
    return chosen, [n for n in order if negative[n]][: count - len(chosen)]


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
def test_balanced_sample_against_sorting(share):
    kind = RANDOM.uniform(size=(4, 60))
    positive, negative = kind < share, kind > max(share, 0.7)
    draws = RANDOM.uniform(size=(4, 60)).astype("float32")
    indices, is_sampled = (np.asarray(x) for x in balanced_sample(positive, negative, draws, 24, 8))
    assert indices.shape == is_sampled.shape == (4, 24)
    for row in range(4):
        chosen, others = plain_sample(positive[row], negative[row], draws[row], 24, 8)
        assert indices[row][is_sampled[row]].tolist() == chosen + others


def test_samples_of_fewer_candidates_than_asked_for():
    indices, is_sampled = balanced_sample(
        tf.constant([[True, False, False]]), tf.constant([[False, False, True]]),
        tf.constant([[0.0, 0.9, 0.0]]), 8, 4,
    )  # fmt: skip
    assert np.asarray(indices).tolist() == [[0, 2, 1]]
    assert np.asarray(is_sampled).tolist() == [[True, True, False]]


def test_every_candidate_is_drawn_alike():
    """Without replacement, and each as often as the others."""
    draws = RANDOM.uniform(size=(4000, 12)).astype("float32")
    positive = np.broadcast_to(np.arange(12) < 4, (4000, 12))
    indices, is_sampled = balanced_sample(positive, ~positive, draws, 6, 2)
    assert np.asarray(is_sampled).all()
    assert all(len(set(row)) == 6 for row in np.asarray(indices))
    counts = np.bincount(np.asarray(indices).ravel(), minlength=12)
    np.testing.assert_allclose(counts, 2000, rtol=0.1)


def test_even_draws():
    draws = np.asarray(even_draws((2, 20_000)))
    assert (draws[0] == draws[1]).all() and draws.min() >= 0 and draws.max() < 1
    assert len(set(draws[0])) == 20_000
    for begin in (0, 12_345):
        assert np.histogram(draws[0, begin : begin + 100], 10, (0, 1))[0].tolist() == pytest.approx(
            [10] * 10, abs=2
        )


# === Targets ===


def test_anchor_targets_against_loops():
    anchors = plain_anchors(96, 128, 3.0)
    boxes, mask = some_boxes(3, 6)
    targets = anchor_targets(anchors.astype("float32"), boxes, mask)
    for image in range(3):
        numbers = np.flatnonzero(mask[image])
        iou = np.array([[plain_iou(a, boxes[image, m]) for m in numbers] for a in anchors])
        iou = iou.reshape(len(anchors), len(numbers))
        best = iou.max(axis=1, initial=0)
        positive = best >= 0.7
        for column in iou.T:
            positive |= column > column.max() - 1e-6
        np.testing.assert_array_equal(targets.is_object[image], positive)
        np.testing.assert_array_equal(targets.is_background[image], (best < 0.3) & ~positive)
        for n in np.flatnonzero(positive):
            overlap = plain_iou(anchors[n], np.asarray(targets.boxes[image, n]))
            assert overlap == pytest.approx(best[n], abs=1e-5)
    assert not np.asarray(targets.is_object[2]).any()
    assert np.asarray(targets.is_background[2]).all()


def test_the_loss_of_the_first_stage_against_loops():
    anchors = plain_anchors(64, 96, 3.0).astype("float32")
    boxes, mask = some_boxes(2, 4)
    count = len(anchors)
    objectness = RANDOM.normal(size=(2, count)).astype("float32")
    offsets = RANDOM.normal(0, 0.3, (2, count, 4)).astype("float32")
    draws = RANDOM.uniform(size=(2, count)).astype("float32")
    targets = anchor_targets(anchors, boxes, mask)
    terms = proposal_loss(objectness, offsets, anchors, targets, draws, 32)
    classes = distances = 0.0
    for image in range(2):
        chosen, others = plain_sample(
            np.asarray(targets.is_object[image]), np.asarray(targets.is_background[image]),
            draws[image], 32, 16,
        )  # fmt: skip
        size = len(chosen) + len(others)
        for n in chosen + others:
            p = 1 / (1 + math.exp(-float(objectness[image, n])))
            classes -= math.log(p if n in chosen else 1 - p) / size
        for n in chosen:
            wanted = plain_offsets(np.asarray(targets.boxes[image, n]), anchors[n])
            for d in np.abs(offsets[image, n] - wanted):
                distances += (4.5 * d * d if d < 1 / 9 else d - 1 / 18) / size
    assert float(terms["objectness"]) == pytest.approx(classes / 2, rel=1e-4)
    assert float(terms["proposal_box"]) == pytest.approx(distances / 2, rel=1e-4)


def plain_offsets(box, anchor, variances=(1, 1, 1, 1)):
    box, anchor = np.float64(box), np.float64(anchor)
    (w, h), (wa, ha) = box[2:] - box[:2], anchor[2:] - anchor[:2]
    x, y = (box[:2] + box[2:]) / 2 - (anchor[:2] + anchor[2:]) / 2
    return np.array([x / wa, y / ha, math.log(w / wa), math.log(h / ha)]) / variances


# === Proposals ===


def plain_proposals(objectness, offsets, anchors, candidates, count):
    """Greedy suppression of the decoded boxes, one image."""
    kept = []
    for n in np.argsort(-objectness)[:candidates]:
        (x1, y1, x2, y2), (tx, ty, tw, th) = np.float64(anchors[n]), np.float64(offsets[n])
        w, h = x2 - x1, y2 - y1
        x, y = (x1 + x2) / 2 + tx * w, (y1 + y2) / 2 + ty * h
        w, h = w * math.exp(tw), h * math.exp(th)
        box = np.clip([x - w / 2, y - h / 2, x + w / 2, y + h / 2], 0, 1)
        if min(box[2] - box[0], box[3] - box[1]) < 1e-3:
            continue
        if all(plain_iou(box, other) <= 0.7 for other in kept):
            kept.append(box)
    return np.array(kept[:count]).reshape(-1, 4)


@pytest.mark.parametrize("candidates, count", [(60, 200), (10_000, 20)])
def test_proposals_against_loops(candidates, count):
    anchors = plain_anchors(64, 96, 3.0).astype("float32")
    objectness = RANDOM.normal(size=(3, len(anchors))).astype("float32")
    offsets = RANDOM.normal(0, 0.2, (3, len(anchors), 4)).astype("float32")
    offsets[:, ::5, 0] += 30.0  # far outside
    propose_ = tf.function(propose)
    found = propose_(objectness, offsets, anchors, candidates=candidates, count=count)
    assert found.boxes.shape == (3, count, 4) and found.mask.shape == (3, count)
    for image in range(3):
        expected = plain_proposals(objectness[image], offsets[image], anchors, candidates, count)
        mask = np.asarray(found.mask[image])
        assert mask.sum() == len(expected) and mask[: len(expected)].all()
        np.testing.assert_allclose(found.boxes[image][: len(expected)], expected, atol=1e-5)
        assert not np.asarray(found.boxes[image])[~mask].any()


def test_proposals_of_nothing_but_points():
    anchors = plain_anchors(64, 64, 3.0).astype("float32")
    offsets = np.full((1, len(anchors), 4), -30.0, "float32")
    found = propose(tf.zeros((1, len(anchors))), tf.constant(offsets), anchors,
                    candidates=100, count=8)  # fmt: skip
    assert not np.asarray(found.mask).any() and not np.asarray(found.boxes).any()

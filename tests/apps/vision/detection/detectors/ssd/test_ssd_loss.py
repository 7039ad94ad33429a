"""The multibox loss against loops in double precision, and in extreme cases."""

import math

import numpy as np
import pytest
import tensorflow as tf

from apps.vision.detection.detectors.ssd.default_boxes import default_boxes, paper_shapes
from apps.vision.detection.detectors.ssd.matching import match
from apps.vision.detection.detectors.ssd.ssd_loss import hard_negatives, multibox_sums

VARIANCES = (0.1, 0.1, 0.2, 0.2)
DEFAULTS = np.asarray(default_boxes(64, 64, paper_shapes()))


def some_targets(generator, count, boxes=3, classes=3):
    """The last image has no box."""
    corners = np.sort(generator.uniform(0, 1, (count, boxes, 2, 2)), axis=2)
    mask = generator.uniform(size=(count, boxes)) < 0.7
    mask[:, 0], mask[-1] = True, False
    # Labels of padding may be anything.
    labels = np.where(mask, generator.integers(0, classes, (count, boxes)), 77)
    return {
        "boxes": tf.constant(corners.reshape(count, boxes, 4), tf.float32),
        "labels": tf.constant(labels, tf.int32),
        "mask": tf.constant(mask),
    }


def some_outputs(generator, count, classes=3):
    logits = generator.normal(0, 2, (count, len(DEFAULTS), classes + 1)).astype("float32")
    offsets = generator.normal(0, 2, (count, len(DEFAULTS), 4)).astype("float32")
    return tf.constant(logits), tf.constant(offsets)


def plain_hard_negatives(losses, matched, ratio):
    """Numbers of the chosen default boxes of one image."""
    positives = sum(m >= 0 for m in matched)
    order = sorted((n for n, m in enumerate(matched) if m < 0), key=lambda n: (-losses[n], n))
    return order[: int(ratio * max(positives, 1))]


def plain_loss(boxes, labels, matched, logits, offsets, ratio):
    """(class, box) sums of one image."""
    log_p = [row - np.log(np.exp(row).sum()) for row in logits.astype("float64")]
    background = [-row[0] for row in log_p]
    classes = sum(background[n] for n in plain_hard_negatives(background, matched, ratio))
    box = 0.0
    for n, m in enumerate(matched):
        if m < 0:
            continue
        classes -= log_p[n][labels[m] + 1]
        (x1, y1, x2, y2), (u1, v1, u2, v2) = boxes[m].astype("float64"), DEFAULTS[n]
        wanted = [
            ((x1 + x2) - (u1 + u2)) / 2 / (u2 - u1) / 0.1,
            ((y1 + y2) - (v1 + v2)) / 2 / (v2 - v1) / 0.1,
            math.log((x2 - x1) / (u2 - u1)) / 0.2,
            math.log((y2 - y1) / (v2 - v1)) / 0.2,
        ]
        for d in np.abs(offsets[n] - wanted):
            box += d * d / 2 if d < 1 else d - 0.5
    return classes, box


@pytest.mark.parametrize("ratio", [3.0, 0.0, 1.5])
def test_loss_against_loops(ratio):
    generator = np.random.default_rng(0)
    y = some_targets(generator, 4)
    logits, offsets = some_outputs(generator, 4)
    matched = match(y["boxes"], y["mask"], DEFAULTS)
    sums = multibox_sums(
        y, matched, DEFAULTS, logits, offsets, variances=VARIANCES, negatives=ratio
    )
    arrays = (np.asarray(x) for x in (y["boxes"], y["labels"], matched, logits, offsets))
    expected = np.sum([plain_loss(*image, ratio) for image in zip(*arrays, strict=True)], axis=0)
    assert float(sums["class"]) == pytest.approx(expected[0], rel=1e-4)
    assert float(sums["box"]) == pytest.approx(expected[1], rel=1e-4)


def test_hard_negatives_against_sorting():
    generator = np.random.default_rng(1)
    # Few values, so that there are many ties.
    losses = generator.integers(0, 6, (5, 40)).astype("float32")
    matched = np.where(generator.uniform(size=(5, 40)) < 0.15, 0, -1).astype("int32")
    matched[3], matched[4] = (
        -1,
        np.where(np.arange(40) < 35, 0, -1),
    )  # no match; more negatives wanted than there are
    chosen = np.asarray(hard_negatives(losses, matched, 3.0))
    for row, loss, of_image in zip(chosen, losses, matched, strict=True):
        assert np.flatnonzero(row).tolist() == sorted(plain_hard_negatives(loss, of_image, 3.0))
    assert chosen[3].sum() == 3 and chosen[4].sum() == 5


def test_images_without_boxes_teach_three_boxes_of_background():
    generator = np.random.default_rng(2)
    y = some_targets(generator, 1)
    logits, offsets = some_outputs(generator, 1)
    matched = match(y["boxes"], y["mask"], DEFAULTS)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        sums = multibox_sums(y, matched, DEFAULTS, logits, offsets, variances=VARIANCES)
    rows = np.abs(tape.gradient(sums["class"], logits)[0]).sum(axis=-1)
    assert np.count_nonzero(rows) == 3 and float(sums["box"]) == 0.0


@pytest.mark.parametrize("classes", [1, 80])
def test_odd_targets_and_extreme_outputs_are_finite(classes):
    """Boxes without area, larger than the image, tiny; a crowd; no boxes at all."""
    generator = np.random.default_rng(3)
    crowd = some_targets(generator, 4, boxes=60, classes=classes)
    boxes, mask = np.array(crowd["boxes"]), np.array(crowd["mask"])
    boxes[0] = 0.5
    boxes[1, :3] = [[0.2, 0.2, 0.2, 0.9], [-0.4, -0.1, 1.3, 1.2], [0.0, 0.0, 1e-4, 1e-4]]
    mask[1], mask[2] = np.arange(60) < 3, True
    y = {**crowd, "boxes": tf.constant(boxes), "mask": tf.constant(mask)}
    y["labels"] = tf.where(y["mask"], tf.minimum(y["labels"], classes - 1), 77)
    for scale in (1.0, 1e4):
        outputs = [scale * each for each in some_outputs(generator, 4, classes)]
        matched = match(y["boxes"], y["mask"], DEFAULTS)
        with tf.GradientTape() as tape:
            tape.watch(outputs)
            sums = multibox_sums(y, matched, DEFAULTS, *outputs, variances=VARIANCES)
            total = sums["class"] + sums["box"]
        assert np.isfinite(total)
        assert all(np.isfinite(each).all() for each in tape.gradient(total, outputs))

"""Anchor points, the network, its loss, and an over-fit to the end."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.vision.detection.config import LossConfig
from apps.vision.detection.csp_backbone import SIZES
from apps.vision.detection.detectors.detector import box_counts
from apps.vision.detection.detectors.yolo.anchor_points import (
    REG_MAX,
    anchor_points,
    decode_boxes,
    encode_distances,
    image_scale,
    split_sides,
)
from apps.vision.detection.detectors.yolo.detection_loss import loss_sums
from apps.vision.detection.detectors.yolo.task_aligned_assigner import assign
from apps.vision.detection.detectors.yolo.yolo import build_yolo
from shared.common.errors import KerasuiteError
from tests.apps.vision.detection.detectors.scene import SIDE, check_overfit

RANDOM = np.random.default_rng(0)


def some_images(count, height, width):
    return RANDOM.uniform(0, 255, (count, height, width, 3)).astype("float32")


def some_targets(count, boxes=3, classes=3):
    """The last image has no box."""
    corners = np.sort(RANDOM.uniform(0, 1, (count, boxes, 2, 2)), axis=2)
    mask = RANDOM.uniform(size=(count, boxes)) < 0.7
    mask[:, 0], mask[-1] = True, False
    return {
        "boxes": tf.constant(corners.reshape(count, boxes, 4), tf.float32),
        "labels": tf.constant(RANDOM.integers(0, classes, (count, boxes)), tf.int32),
        "mask": tf.constant(mask),
    }


# === Anchor points ===


def test_anchor_points_are_the_centres_of_cells():
    points, strides = (np.asarray(x) for x in anchor_points(64, 96))
    assert len(points) == 8 * 12 + 4 * 6 + 2 * 3
    assert points[0].tolist() == [4, 4] and points[1].tolist() == [12, 4]
    assert points[12].tolist() == [4, 12]  # the second row
    assert points[96].tolist() == [8, 8] and points[-1].tolist() == [80, 48]
    assert strides[[0, 95, 96, 119, 120, -1], 0].tolist() == [8, 8, 16, 16, 32, 32]


def test_decoding_inverts_encoding():
    points, strides = anchor_points(64, 96)
    reach = RANDOM.uniform(0, 15, (len(points), 4)).astype("float32") * np.asarray(strides)
    boxes = np.concatenate([points - reach[:, :2], points + reach[:, 2:]], axis=-1)
    distances = np.asarray(encode_distances(boxes, points, strides))
    hat = np.maximum(1 - np.abs(distances[..., None] - np.arange(REG_MAX)), 1e-30)
    logits = np.log(hat).reshape(len(points), -1).astype("float32")
    decoded = np.asarray(decode_boxes(logits, points, strides, 64, 96))
    np.testing.assert_allclose(decoded * [96, 64, 96, 64], boxes, atol=1e-2)
    assert np.asarray(image_scale(64, 96)).tolist() == [96, 64, 96, 64]


# === Network ===


@pytest.mark.parametrize("name, millions", [("nano", 3.0), ("small", 11.1), ("medium", 25.7)])
def test_sizes(name, millions):
    with keras.StatelessScope(initialize_variables=False):
        detector = build_yolo(name, 80)
        parameters = sum(math.prod(w.shape) for w in detector.trainable_weights)
    keras.utils.clear_session()
    assert parameters / 1e6 == pytest.approx(millions, abs=0.05)


def test_no_convolution_is_narrower_than_is_safe():
    detector = build_yolo("test", 1)
    kernels = [w for w in detector.trainable_weights if w.path.endswith("convolution/kernel")]
    assert len(kernels) > 30 and min(w.shape[-1] for w in kernels) == 16
    assert sorted({w.shape[-2] for w in kernels})[:2] == [3, 16]  # 3: the image


def test_outputs_of_any_size_and_their_prior():
    detector = build_yolo("test", 5)
    for height, width in ((64, 64), (96, 160)):
        outputs = detector(some_images(2, height, width), training=True)
        anchors = len(anchor_points(height, width)[0])
        assert outputs["class_logits"].shape == (2, anchors, 5)
        assert outputs["box_logits"].shape == (2, anchors, 4 * REG_MAX)
        scores = tf.sigmoid(outputs["class_logits"])
        assert 0.005 < float(tf.reduce_mean(scores)) < 0.02


def test_every_anchor_sees_its_own_part():
    """The order of outputs is that of anchor_points: a spot moves the logits around it."""
    detector = build_yolo("test", 2)
    images = np.full((1, 128, 192, 3), 100.0, "float32")
    spotted = images.copy()
    spotted[:, 80:96, 136:152] = 255.0
    moved = [
        np.abs(np.asarray(b) - np.asarray(a)).sum(axis=-1)[0]
        for a, b in zip(
            *(detector(x, training=False).values() for x in (images, spotted)), strict=True
        )
    ]
    points, strides = (np.asarray(x) for x in anchor_points(128, 192))
    for change in moved:
        fine = np.where(strides[:, 0] == 8, change, 0)
        assert np.abs(points[fine.argmax()] - [144, 88]).max() <= 24


@pytest.mark.parametrize("name", ["resnet18", "keras:MobileNet", "alexnet"])
def test_any_backbone(name):
    detector = build_yolo(name, 2, size="test", input_shape=(128, 160, 3))
    outputs = detector(some_images(1, 128, 160))
    assert outputs["class_logits"].shape == (1, len(anchor_points(128, 160)[0]), 2)
    frozen = [detector.get_layer(layer) for layer in detector.backbone_layers]
    assert sum(layer.count_params() for layer in frozen) > 1e6


def test_backbone_without_padding_and_with_unknown_size():
    detector = build_yolo("alexnet", 1, size="test")
    for height, width in ((128, 160), (64, 96)):
        outputs = detector(some_images(1, height, width))
        assert outputs["box_logits"].shape[1] == len(anchor_points(height, width)[0])


def test_saves_and_reloads_in_safe_mode(tmp_path):
    loss, iou = LossConfig(top_k=7), 0.6
    detector = build_yolo("test", 2, loss=loss, iou=iou)
    images = some_images(1, 64, 64)
    expected = detector(images)
    detector.save(tmp_path / "model.keras")
    revived = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert (revived.loss_config, revived.iou) == (loss, iou)
    for name, value in revived(images).items():
        np.testing.assert_array_equal(value, expected[name])


def test_mixed_precision_answers_in_float32():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    outputs = build_yolo("test", 2)(some_images(1, 64, 64))
    assert {x.dtype for x in outputs.values()} == {tf.float32}


def test_mistakes_are_explained():
    with pytest.raises(KerasuiteError, match="unknown size 'huge': choose one of test, nano"):
        build_yolo("nano", 2, size="huge")
    with pytest.raises(KerasuiteError, match="100x64 pixels: the sides must be multiples of 32"):
        build_yolo("nano", 2, input_shape=(100, 64, 3))
    with pytest.raises(KerasuiteError, match="unknown network"):
        build_yolo("nanoo", 2)


def test_widths_and_depths():
    assert SIZES["nano"].widths == (16, 32, 64, 128, 256) and SIZES["nano"].depths == (1, 2, 2, 1)
    assert SIZES["medium"].widths == (48, 96, 192, 384, 576)
    assert SIZES["medium"].depths == (2, 4, 4, 2)
    assert min(SIZES["test"].widths) == 16


# === Loss ===


def random_logits(images, side, classes=3):
    anchors = len(anchor_points(side, side)[0])
    class_logits = RANDOM.normal(-2, 1, (images, anchors, classes)).astype("float32")
    box_logits = RANDOM.normal(0, 1, (images, anchors, 4 * REG_MAX)).astype("float32")
    return tf.constant(class_logits), tf.constant(box_logits)


def test_loss_against_loops():
    y = some_targets(2)
    class_logits, box_logits = random_logits(2, 64)
    loss = LossConfig(class_weight=0.9, box_weight=1.7, dfl_weight=0.6, top_k=5)
    sums = loss_sums(y, class_logits, box_logits, 64, 64, loss)

    points, strides = anchor_points(64, 64)
    predicted = decode_boxes(box_logits, points, strides, 1, 1)
    scores = 1 / (1 + np.exp(-np.asarray(class_logits, "float64")))
    given = assign(
        scores, predicted, points, y["boxes"] * 64, y["labels"], y["mask"], top_k=5, min_side=8.0
    )
    box = dfl = classes = 0.0
    logits = np.asarray(split_sides(box_logits), "float64")
    distances = np.clip(np.asarray(encode_distances(given.boxes, points, strides)), 0, 15)
    for i, n in np.ndindex(*given.scores.shape):
        weight = float(given.scores[i, n])
        target = np.zeros(3)
        target[int(given.labels[i, n])] = weight
        p = scores[i, n]
        classes -= (target * np.log(p) + (1 - target) * np.log(1 - p)).sum()
        if weight:
            box += weight * (1 - reference_ciou(predicted[i, n], given.boxes[i, n]))
            for side in range(4):
                y_side, q = distances[i, n, side], np.exp(logits[i, n, side])
                q, low = q / q.sum(), min(int(y_side), 14)
                part = (low + 1 - y_side) * np.log(q[low]) + (y_side - low) * np.log(q[low + 1])
                dfl -= weight * part / 4
    assert float(sums.terms["box"]) == pytest.approx(1.7 * box, rel=1e-3)
    assert float(sums.terms["dfl"]) == pytest.approx(0.6 * dfl, rel=1e-3)
    assert float(sums.terms["class"]) == pytest.approx(0.9 * classes, rel=1e-3)
    np.testing.assert_allclose(sums.target_scores, np.asarray(given.scores).sum(-1), rtol=1e-5)


def reference_ciou(a, b):
    a, b = np.asarray(a, "float64"), np.asarray(b, "float64")
    meet = np.prod(np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0))
    iou = meet / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - meet)
    diagonal = ((np.maximum(a[2:], b[2:]) - np.minimum(a[:2], b[:2])) ** 2).sum()
    distance = (((a[:2] + a[2:] - b[:2] - b[2:]) / 2) ** 2).sum()
    angle_a, angle_b = (math.atan((x[2] - x[0]) / (x[3] - x[1])) for x in (a, b))
    v = 4 / math.pi**2 * (angle_a - angle_b) ** 2
    return iou - distance / diagonal - v / (1 - iou + v) * v


def test_gradients_are_finite_for_odd_targets_and_extreme_logits():
    y = some_targets(3)
    boxes = np.array(y["boxes"])
    boxes[0] = 0.5  # points
    boxes[1] = [[0.2, 0.2, 0.2, 0.9], [-0.4, -0.1, 1.3, 1.2], [0.0, 0.0, 1e-4, 1e-4]]
    y = {**y, "boxes": tf.constant(boxes), "mask": tf.constant([[True] * 3] * 2 + [[False] * 3])}
    for scale in (1.0, 1e3):
        logits = [scale * x for x in random_logits(3, 64)]
        with tf.GradientTape() as tape:
            tape.watch(logits)
            terms = loss_sums(y, *logits, 64, 64, LossConfig()).terms
            total = sum(terms.values())
        assert all(np.isfinite(value) for value in terms.values())
        assert all(np.isfinite(g).all() for g in tape.gradient(total, logits))


def test_images_without_boxes_only_teach_what_is_background():
    y = some_targets(1)
    terms = loss_sums(y, *random_logits(1, 64), 64, 64, LossConfig()).terms
    assert float(terms["box"]) == float(terms["dfl"]) == 0.0 < float(terms["class"])
    assert float(box_counts(y)) == 1.0


def test_the_mean_does_not_depend_on_how_a_batch_is_split():
    detector = build_yolo("test", 3)
    images, y = some_images(5, 64, 64), some_targets(5)
    outputs = detector(images)

    def rows(values, begin, end):
        return {name: value[begin:end] for name, value in values.items()}

    def mean_and_weight(begin, end):
        part = rows(y, begin, end)
        loss = detector.compute_loss(images[begin:end], part, rows(outputs, begin, end))
        return float(sum(loss.values())), float(detector.loss_weight(None, part))

    whole, weight = mean_and_weight(0, 5)
    parts = [mean_and_weight(0, 2), mean_and_weight(2, 5)]
    assert sum(w for _, w in parts) == weight
    assert sum(mean * w for mean, w in parts) / weight == pytest.approx(whole, rel=1e-5)


# === Training ===


@pytest.mark.slow
def test_overfits_two_images():
    keras.utils.set_random_seed(3)
    detector = build_yolo("test", 2, input_shape=(SIDE, SIDE, 3))
    check_overfit(detector, shrinks=4, confidence=0.25, iou=0.7)

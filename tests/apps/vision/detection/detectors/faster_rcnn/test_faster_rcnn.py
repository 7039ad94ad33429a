"""The whole network: outputs, loss, odd targets, saving, and an over-fit to the end."""

import math
from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.vision.detection.config import FasterRCNNConfig
from apps.vision.detection.detectors.faster_rcnn.anchors import anchor_count
from apps.vision.detection.detectors.faster_rcnn.faster_rcnn import build_faster_rcnn
from shared.common.errors import KerasuiteError
from tests.apps.vision.detection.detectors.scene import SIDE, STEPS, check_overfit

RANDOM = np.random.default_rng(0)
OPTIONS = FasterRCNNConfig(anchor_samples=32, region_samples=16, proposals=40)


def build(classes=3, options=OPTIONS, **more):
    return build_faster_rcnn("test", classes, options=options, **more)


def some_images(count, height, width):
    return RANDOM.uniform(0, 255, (count, height, width, 3)).astype("float32")


def some_targets(count, boxes=3, classes=3, draws=True):
    """The last image has no box."""
    corners = np.sort(RANDOM.uniform(0, 1, (count, boxes, 2, 2)), axis=2)
    mask = RANDOM.uniform(size=(count, boxes)) < 0.7
    mask[:, 0], mask[-1] = True, False
    y = {
        "boxes": tf.constant(corners.reshape(count, boxes, 4), tf.float32),
        "labels": tf.constant(RANDOM.integers(0, classes, (count, boxes)), tf.int32),
        "mask": tf.constant(mask),
    }
    return y | (some_draws(count, boxes) if draws else {})


def some_draws(count, boxes, side=96, proposals=OPTIONS.proposals):
    shapes = {"anchor_draws": anchor_count(side, side), "region_draws": proposals + boxes}
    return {
        name: tf.constant(RANDOM.uniform(size=(count, length)), tf.float32)
        for name, length in shapes.items()
    }


def rows(values, begin, end):
    return tf.nest.map_structure(lambda value: value[begin:end], values)


# === Network ===


@pytest.mark.parametrize("name, millions", [("nano", 2.26), ("small", 8.81), ("medium", 27.99)])
def test_sizes(name, millions):
    with keras.StatelessScope(initialize_variables=False):
        detector = build_faster_rcnn(name, 80)
        parameters = sum(math.prod(w.shape) for w in detector.trainable_weights)
    keras.utils.clear_session()
    assert parameters / 1e6 == pytest.approx(millions, abs=0.01)


def test_outputs_of_any_size():
    detector = build()
    for height, width in ((64, 64), (96, 160)):
        outputs = detector(some_images(2, height, width), training=True)
        assert outputs["objectness"].shape == (2, anchor_count(height, width))
        assert outputs["offsets"].shape == (2, anchor_count(height, width), 4)
        shapes = [(2, height // s, width // s, 16) for s in (8, 16, 32)]
        assert [x.shape for x in outputs["features"]] == shapes
        boxes, scores = detector.candidates(outputs, height, width)
        assert boxes.shape == (2, 40, 3, 4) and scores.shape == (2, 40, 3)


@pytest.mark.parametrize("name", ["resnet18", "alexnet"])
def test_any_backbone(name):
    detector = build_faster_rcnn(name, 2, size="test")
    outputs = detector(some_images(1, 96, 160))
    assert outputs["objectness"].shape == (1, anchor_count(96, 160))
    frozen = [detector.get_layer(layer) for layer in detector.backbone_layers]
    assert sum(layer.count_params() for layer in frozen) > 1e6


def test_saves_and_reloads_in_safe_mode(tmp_path):
    detector = build(2, iou=0.6)
    head = detector.region_head
    head.class_logits.bias.assign([0.5, 1.0, -0.5])
    images = some_images(1, 64, 64)
    outputs = detector(images)
    expected = outputs, detector.candidates(outputs, 64, 64)
    detector.save(tmp_path / "model.keras")
    revived = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert (revived.options, revived.iou) == (OPTIONS, 0.6)
    outputs = revived(images)
    found = outputs, revived.candidates(outputs, 64, 64)
    tf.nest.map_structure(np.testing.assert_array_equal, found, expected)
    names = [weight.path for weight in detector.weights]
    assert [weight.path for weight in revived.weights] == names
    assert len(set(names)) == len(names) and "region_head/hidden_1/kernel" in names


def test_mistakes_are_explained():
    with pytest.raises(KerasuiteError, match="unknown size 'huge': choose one of test, nano"):
        build_faster_rcnn("nano", 2, size="huge")
    with pytest.raises(KerasuiteError, match="100x64 pixels: the sides must be multiples of 32"):
        build_faster_rcnn("nano", 2, input_shape=(100, 64, 3))


# === Loss ===


def test_the_mean_does_not_depend_on_how_a_batch_is_split():
    detector = build()
    images, y = some_images(5, 96, 96), some_targets(5)
    outputs = detector(images)

    def mean_and_weight(begin, end):
        part = rows(y, begin, end)
        loss = detector.compute_loss(images[begin:end], part, rows(outputs, begin, end))
        return float(sum(loss.values())), float(detector.loss_weight(None, part))

    whole, weight = mean_and_weight(0, 5)
    parts = [mean_and_weight(0, 2), mean_and_weight(2, 5)]
    assert sum(w for _, w in parts) == weight == 5
    assert sum(mean * w for mean, w in parts) / weight == pytest.approx(whole, rel=1e-5)


def test_other_draws_take_other_samples():
    detector = build()
    images, y = some_images(2, 96, 96), some_targets(2)
    outputs = detector(images)

    def terms(**draws):
        values = detector.compute_loss(images, {**y, **draws}, outputs)
        return np.array([float(value) for value in values.values()])

    other = some_draws(2, 3)
    assert (terms() == terms()).all()
    first, second = (np.abs(terms(**{name: other[name]}) - terms()) > 1e-6 for name in other)
    assert first[:2].any() and not first[2:].any()
    assert second[2:].any() and not second[:2].any()


def test_without_draws_the_loss_is_the_same_each_time():
    detector = build()
    images, y = some_images(2, 96, 96), some_targets(2, draws=False)
    losses = [detector.compute_loss(images, y, detector(images)) for _ in range(2)]
    assert losses[0] == losses[1]
    assert list(losses[0]) == ["objectness", "proposal_box", "class", "box"]


@pytest.mark.parametrize("classes", [1, 80])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_gradients_are_finite_for_odd_targets(classes, policy):
    """Points, lines, boxes over every edge, of a hundredth of a pixel, and none at all."""
    keras.mixed_precision.set_global_policy(policy)
    detector = build(classes)
    keras.mixed_precision.set_global_policy("float32")
    images, y = some_images(4, 96, 96), some_targets(4, classes=classes)
    boxes = np.array(y["boxes"])
    boxes[0] = 0.5  # points
    boxes[1] = [[0.2, 0.2, 0.2, 0.9], [-0.4, -0.1, 1.3, 1.2], [0.0, 0.0, 1e-4, 1e-4]]
    boxes[2] = [0.1, 0.1, 0.6, 0.4]  # a crowd
    mask = tf.constant([[True] * 3] * 3 + [[False] * 3])
    y = {**y, "boxes": tf.constant(boxes), "mask": mask}
    for scale in (1.0, 1e3):
        images = images * scale
        with tf.GradientTape() as tape:
            outputs = detector(images, training=True)
            terms = detector.compute_loss(images, y, outputs)
            total = sum(terms.values())
        assert all(value.dtype == tf.float32 and np.isfinite(value) for value in terms.values())
        gradients = tape.gradient(total, [w.value for w in detector.trainable_weights])
        assert all(np.isfinite(tf.cast(g, "float32")).all() for g in gradients)
        found = detector.predictions(images, outputs)
        assert all(np.isfinite(value).all() for value in found.values())


# === Training ===


@pytest.mark.slow
def test_overfits_two_images():
    keras.utils.set_random_seed(3)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, STEPS)
    draws = partial(some_draws, 2, 3, SIDE)
    check_overfit(build(2), shrinks=4, confidence=0.5, iou=0.5, rate=rate, draws=draws)

"""The exported detector: where boxes come back to, and what a fresh process answers."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from apps.vision.detection import rounding_stable_examples
from apps.vision.detection.detectors.yolo.anchor_points import REG_MAX, anchor_points
from apps.vision.detection.letterbox_boxes import to_original
from shared.engine.saved_model.verification import verify
from shared.image.resize import letterbox, letterbox_geometry
from tests.apps.vision.detection import toy_detector
from tests.apps.vision.detection.toy_detector import CLASSES, SIDE, encode, export_toy, picture

SIZES = [(1, 1), (3000, 7), (7, 3000), (63, 64), (65, 64), (333, 501), (480, 640), (1001, 999)]


# === Boxes of the square to boxes of the image ===


@pytest.mark.parametrize("side", [32, 96, 640])
def test_to_original_undoes_letterbox(side):
    random = np.random.default_rng(0)
    boxes = random.uniform(0.0, 1.0, (len(SIZES), 5, 4)).astype("float32")
    expected, in_square = [], []
    for (height, width), original in zip(SIZES, boxes, strict=True):
        # The truth: `letterbox` itself says where a point goes.
        _, scale, offset = letterbox(np.zeros((height, width, 3), np.uint8), side)
        (sy, sx), (oy, ox) = scale.numpy(), offset.numpy()
        pixels = original * np.array([width, height, width, height])
        in_square.append((pixels * [sx, sy, sx, sy] + [ox, oy, ox, oy]) / side)
        expected.append(original)
    heights, widths = np.array(SIZES).T
    back = to_original(np.array(in_square, "float32"), heights, widths, side)
    assert back.dtype == tf.float32
    np.testing.assert_allclose(back, expected, atol=1e-4)
    as_floats = to_original(
        np.array(in_square), heights.astype("float32"), tf.constant(widths), side
    )
    np.testing.assert_array_equal(back, as_floats)


def test_to_original_clips_to_the_picture_and_leaves_filling_zero():
    boxes = np.array([[[0, 0, 1, 1], [-0.2, 0.4, 0.5, 1.7], [0, 0, 0, 0]]], "float32")
    back = to_original(boxes, [50], [100], 64).numpy()[0]
    # The picture is 32 rows of the 64, after 16 rows of padding.
    np.testing.assert_allclose(back, [[0, 0, 1, 1], [0, 0.3, 0.5, 1], [0, 0, 0, 0]], atol=1e-6)


def test_geometry_of_many_sizes_is_that_of_each():
    heights, widths = np.array(SIZES).T
    scaled, before = letterbox_geometry(heights, widths, 96)
    for index, (height, width) in enumerate(SIZES):
        _, scale, offset = letterbox(np.zeros((height, width, 3), np.uint8), 96)
        np.testing.assert_allclose(scaled[index] / [height, width], scale, rtol=1e-6)
        np.testing.assert_array_equal(tf.cast(before[index], tf.float32), offset)


# === A detector that finds the red rectangle ===


class RedDetector(toy_detector.FixedDetector):
    """Gives one box around the red pixels of each square, of class 1."""

    def __call__(self, squares, training):
        points, strides = (x.numpy() for x in anchor_points(SIDE, SIDE))
        class_logits = np.full((len(squares), len(points), 3), -9.0, "float32")
        box_logits = np.zeros((len(squares), len(points), 4 * REG_MAX), "float32")
        for index, square in enumerate(squares.numpy()):
            # An edge between two pixels is known from how red the outer one is.
            red = np.clip((square[..., 0] - square[..., 1]) / 255, 0, 1)
            x1, x2 = self.extent(red.max(axis=0))
            y1, y2 = self.extent(red.max(axis=1))
            inside = (points > [x1, y1]).all(1) & (points < [x2, y2]).all(1)
            anchor = np.flatnonzero(inside)[0]
            class_logits[index, anchor, 1] = 4.0
            (x, y), stride = points[anchor], strides[anchor, 0]
            distances = np.array([x - x1, y - y1, x2 - x, y2 - y]) / stride
            box_logits[index, anchor] = self.distributions(distances)
        return {"class_logits": class_logits, "box_logits": box_logits}

    @staticmethod
    def extent(profile):
        inside = np.flatnonzero(profile > 0.5)
        first, last = inside[0], inside[-1]
        return first + 1 - profile[first], last + profile[last]

    @staticmethod
    def distributions(distances):
        logits = np.full((4, REG_MAX), -50.0)
        for row, distance in zip(logits, distances, strict=True):
            low = int(distance)
            row[low] = np.log(max(1 - (distance - low), 1e-9))
            row[low + 1] = np.log(max(distance - low, 1e-9))
        return logits.reshape(-1)


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_boxes_are_those_of_the_upright_originals(tmp_path, orientation):
    sizes = [(200, 300), (150, 60), (40, 40)]
    parts = [(0.25, 0.2, 0.75, 0.5), (0.1, 0.6, 0.7, 0.9), (0.2, 0.3, 0.9, 0.95)]
    images = []
    for (height, width), (top, left, bottom, right) in zip(sizes, parts, strict=True):
        pixels = np.full((height, width, 3), 255, np.uint8)
        rows = slice(round(top * height), round(bottom * height))
        pixels[rows, round(left * width) : round(right * width)] = [255, 0, 0]
        images.append(encode(pixels, "PNG", orientation))
    serving = toy_detector.make_serving(RedDetector(), toy_detector.config(), tmp_path)
    found = serving.detect(image_bytes=tf.constant(images))
    assert found["num_detections"].numpy().tolist() == [1, 1, 1]
    assert found["detection_classes"].numpy()[:, 0].tolist() == [1, 1, 1]
    assert found["detection_labels"].numpy()[:, :2].tolist() == [[CLASSES[1].encode(), b""]] * 3
    # Half a pixel of the square is up to 0.019 of the picture: 60 columns become 26.
    np.testing.assert_allclose(found["detection_boxes"][:, 0], parts, atol=0.019)
    assert not found["detection_boxes"].numpy()[:, 1:].any()


# === The export ===

FRESH = """
import sys
import numpy as np
import tensorflow as tf
loaded = tf.saved_model.load(sys.argv[1])
images = tf.constant([open(name, "rb").read() for name in sys.argv[3:]])
default = loaded.signatures["serving_default"]
answers = {"own": default(image_bytes=images)}
chosen = {"iou": tf.constant(0.3), "max_detections": tf.constant(7)}
answers["chosen"] = loaded.signatures["with_thresholds"](
    image_bytes=images, confidence=tf.constant(0.6), **chosen)
loaded.confidence.assign(0.6)
answers["stricter"] = default(image_bytes=images)
loaded.iou.assign(0.3)
loaded.max_detections.assign(7)
answers["assigned"] = default(image_bytes=images)
assert not any(name.startswith(("apps", "shared")) for name in sys.modules)
np.savez(sys.argv[2], **{f"{a}/{n}": v for a, all in answers.items() for n, v in all.items()})
"""


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """(version folder, live serving, answers of a fresh process, images)."""
    folder = tmp_path_factory.mktemp("detector")
    with pytest.MonkeyPatch.context() as patch:
        # The fresh process below compares more than the verification would.
        patch.setattr("shared.engine.saved_model.export.verify", lambda jobs: None)
        path, serving = export_toy(folder)
    images = [
        encode(picture(80, 50, 1), "JPEG"),
        encode(picture(33, 120, 2)),
        encode(picture(1, 1, 3), "JPEG"),
        encode(picture(90, 90, 4), "WEBP"),
    ]
    names = [folder / f"image{number}" for number in range(len(images))]
    for name, image in zip(names, images, strict=True):
        name.write_bytes(image)
    command = [sys.executable, "-P", "-E", "-c", FRESH, path, folder / "answers.npz", *names]
    done = subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(folder / "answers.npz", allow_pickle=True) as file:
        return path, serving, dict(file), tf.constant(images)


def answer_of(answers, kind):
    return {name.split("/")[1]: value for name, value in answers.items() if name.startswith(kind)}


def assert_same(answer, live):
    assert set(answer) == set(live)
    for name, value in live.items():
        if value.dtype == tf.float32:
            np.testing.assert_allclose(answer[name], value, atol=1e-5)
        else:
            assert answer[name].tolist() == value.numpy().tolist()


@pytest.mark.slow
def test_a_fresh_process_answers_raw_bytes_as_the_live_model(toy):
    _, serving, answers, images = toy
    own = answer_of(answers, "own")
    assert_same(own, serving.detect(image_bytes=images))
    rows = toy_detector.config().detection.max_detections
    assert own["detection_boxes"].shape == (4, rows, 4)
    assert own["num_detections"].max() >= 10 and own["num_detections"].dtype == np.int32
    assert own["detection_classes"].dtype == np.int32
    for count, labels, classes, scores in zip(
        own["num_detections"],
        *(own[f"detection_{name}"] for name in ("labels", "classes", "scores")),
        strict=True,
    ):
        assert [label.decode() for label in labels[:count]] == [CLASSES[c] for c in classes[:count]]
        assert set(labels[count:].tolist()) == {b""} and not scores[count:].any()
        assert (scores[:count] > 0.25).all() and (np.diff(scores) <= 0).all()


def test_thresholds_as_inputs_and_as_attributes(toy):
    _, serving, answers, images = toy
    values = {"confidence": 0.6, "iou": 0.3, "max_detections": 7}
    chosen = answer_of(answers, "chosen")
    assert_same(chosen, serving.detect_with(image_bytes=images, **values))
    assert_same(chosen, {k: tf.constant(v) for k, v in answer_of(answers, "assigned").items()})
    assert chosen["detection_boxes"].shape == (4, 7, 4)
    own, stricter = answer_of(answers, "own"), answer_of(answers, "stricter")
    above = (own["detection_scores"] > 0.6).sum(axis=1)
    assert stricter["num_detections"].tolist() == above.tolist()
    assert (above < own["num_detections"]).any()


def test_an_image_does_not_depend_on_its_batch(toy):
    path, _, answers, images = toy
    loaded = tf.saved_model.load(str(path))
    own = answer_of(answers, "own")
    for index in range(len(images)):
        alone = loaded.signatures["serving_default"](image_bytes=images[index : index + 1])
        assert alone["num_detections"][0] == own["num_detections"][index]
        np.testing.assert_allclose(
            alone["detection_boxes"][0], own["detection_boxes"][index], atol=1e-5
        )


def test_bad_bytes_and_no_images(toy):
    path, *_ = toy
    function = tf.saved_model.load(str(path)).signatures["serving_default"]
    with pytest.raises(tf.errors.InvalidArgumentError, match="not a JPEG, PNG"):
        function(image_bytes=tf.constant([b"no image"]))
    assert function(image_bytes=tf.constant([], tf.string))["detection_boxes"].shape[0] == 0


def test_the_card_shows_how_to_call_it(toy):
    path, *_ = toy
    card = (path / "assets.extra" / "README.md").read_text()
    assert "with_thresholds" in card and "loaded.confidence.assign" in card
    assert (path / "assets.extra" / "labels.txt").read_text("utf-8").splitlines() == CLASSES


# === Examples that do not hang on rounding ===


class TiedDetector(toy_detector.FixedDetector):
    """Scores that are equal but for rounding, at 20 anchors far from each other."""

    def __call__(self, squares, training):
        count = len(anchor_points(SIDE, SIDE)[0])
        logits = np.full((len(squares), count, 3), -9.0, "float32")
        logits[:, ::4, 0] = 1.0 + np.arange(count)[::4] * 1e-7
        return {
            "class_logits": tf.constant(logits),
            "box_logits": tf.zeros((len(squares), count, 4 * REG_MAX)),
        }


def test_pictures_with_ties_are_not_used(tmp_path):
    serving = toy_detector.make_serving(TiedDetector(), toy_detector.config(), tmp_path)
    examples = serving.examples()
    assert len(examples["serving_default"]["image_bytes"]) == 0
    assert examples["with_thresholds"]["confidence"] == 1.0


def test_an_untrained_detector_is_compared_by_its_best_box(tmp_path):
    import keras

    from apps.vision.detection.detectors.yolo.yolo import build_yolo

    keras.utils.set_random_seed(1)
    config = toy_detector.config(**{"detection.confidence": 0.001})
    serving = toy_detector.make_serving(build_yolo("test", 3), config, tmp_path)
    examples = serving.examples()
    inputs = {
        key: tf.constant(examples["with_thresholds"][key], spec.dtype)
        for key, spec in serving.signatures()["with_thresholds"][0].items()
    }
    found = serving.detect_with(**inputs)
    assert found["num_detections"].numpy().tolist() == [1, 1]
    assert examples["with_thresholds"]["confidence"] == rounding_stable_examples.BEST["confidence"]


@pytest.mark.slow
def test_a_wrong_export_is_noticed(toy):
    """The examples do compare something: another model's answers are refused."""
    path, serving, *_ = toy
    from shared.common.errors import KerasuiteError

    other = toy_detector.make_serving(
        toy_detector.lively_detector(seed=5), serving.config, path.parent
    )
    with pytest.raises(KerasuiteError, match="does not answer as the model does"):
        verify([(path, other, other.examples(), 1e-4)])

"""Detections against greedy suppression in plain Python, and end to end from logits."""

import numpy as np
import pytest
import tensorflow as tf

from apps.vision.detection.anchor_points import REG_MAX, anchor_points
from apps.vision.detection.nms import detect, suppress


def plain_iou(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    meet = max(width, 0) * max(height, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - meet
    return meet / union if union > 0 else 0.0


def plain_nms(boxes, scores, confidence, iou, max_detections):
    """[(score, class, box)] of one image, best first."""
    found = []
    for number in range(scores.shape[1]):
        kept = []
        for n in sorted(range(len(boxes)), key=lambda n: -scores[n, number]):
            if scores[n, number] <= confidence or len(kept) == max_detections:
                break
            if all(plain_iou(boxes[n], boxes[other]) <= iou for other in kept):
                kept.append(n)
        found += [(scores[n, number], number, boxes[n]) for n in kept]
    return sorted(found, key=lambda row: -row[0])[:max_detections]


def random_boxes(seed, images=3, count=80, classes=4, unit=1.0):
    random = np.random.default_rng(seed)
    centres = random.uniform(0, 1, (images, count, 2))
    halves = random.uniform(0.05, 0.3, (images, count, 2))
    boxes = np.concatenate([centres - halves, centres + halves], axis=-1) * unit
    scores = random.uniform(0, 1, (images, count, classes)) ** 2
    return boxes.astype("float32"), scores.astype("float32")


def check(result, boxes, scores, confidence, iou, max_detections):
    for i in range(len(boxes)):
        expected = plain_nms(boxes[i], scores[i], confidence, iou, max_detections)
        count = int(result["count"][i])
        assert count == len(expected)
        for name, column in (("scores", 0), ("classes", 1), ("boxes", 2)):
            values = np.asarray(result[name][i])
            wanted = np.array([row[column] for row in expected]).reshape(values[:count].shape)
            np.testing.assert_allclose(values[:count], wanted, atol=1e-6)
            assert not values[count:].any()


@pytest.mark.parametrize(
    "confidence, iou, max_detections",
    [(0.25, 0.7, 300), (0.05, 0.3, 300), (0.3, 0.5, 7), (0.001, 0.99, 50), (2.0, 0.5, 10)],
)
def test_suppression_against_plain_python(confidence, iou, max_detections):
    boxes, scores = random_boxes(seed=int(confidence * 100))
    result = suppress(boxes, scores, confidence, iou, max_detections)
    assert result["boxes"].shape == (3, max_detections, 4)
    check(result, boxes, scores, confidence, iou, max_detections)


def test_boxes_outside_the_image_are_not_clipped():
    boxes, scores = random_boxes(1, unit=400.0)
    check(suppress(boxes, scores, 0.2, 0.5, 40), boxes, scores, 0.2, 0.5, 40)


def logits_for(boxes_pixels, labels, side, classes=3, score=5.0):
    """Logits of a detector that finds the given boxes at their nearest anchors, twice each."""
    points, strides = (np.asarray(x) for x in anchor_points(side, side))
    class_logits = np.full((1, len(points), classes), -8.0, "float32")
    box_logits = np.zeros((1, len(points), 4, REG_MAX), "float32")
    for box, label in zip(boxes_pixels, labels, strict=True):
        centre = np.array([box[0] + box[2], box[1] + box[3]]) / 2
        fine = np.flatnonzero(strides[:, 0] == 8)
        nearest = fine[np.argsort(np.square(points[fine] - centre).sum(-1))[:2]]
        for rank, n in enumerate(nearest):
            x, y = points[n]
            distances = np.array([x - box[0], y - box[1], box[2] - x, box[3] - y]) / 8
            low = np.floor(distances).astype(int)
            for i in range(4):
                weight = distances[i] - low[i]
                box_logits[0, n, i] = -60.0
                box_logits[0, n, i, low[i]] = np.log(max(1 - weight, 1e-20))
                box_logits[0, n, i, low[i] + 1] = np.log(max(weight, 1e-20))
            class_logits[0, n, label] = score - rank
    return class_logits, box_logits.reshape(1, len(points), -1)


BOXES = np.array([[10.0, 12.0, 50.5, 61.0], [70.0, 20.25, 110.0, 60.0], [30.0, 80.0, 90.0, 120.0]])


@pytest.mark.parametrize("candidates", [1000, 6])
def test_from_logits_to_boxes(candidates):
    class_logits, box_logits = logits_for(BOXES, [2, 0, 2], side=128)
    found = detect(class_logits, box_logits, 128, 128, max_detections=10, candidates=candidates)
    assert int(found["count"][0]) == 3
    assert sorted(np.asarray(found["classes"])[0, :3]) == [0, 2, 2]
    boxes = np.asarray(found["boxes"])[0, :3] * 128
    for box in BOXES:
        assert np.abs(boxes - box).max(axis=-1).min() < 1e-2
    assert np.asarray(found["scores"])[0, :3] == pytest.approx(1 / (1 + np.exp(-5)), abs=1e-5)


def test_thresholds_may_be_inputs_of_a_graph_with_unknown_sizes():
    specs = [tf.TensorSpec((None, None, n)) for n in (3, 4 * REG_MAX)]
    scalars = [tf.TensorSpec((), dtype) for dtype in ("int32", "int32", "float32", "float32")]

    @tf.function(input_signature=[*specs, *scalars])
    def graph(class_logits, box_logits, height, width, confidence, iou):
        return detect(class_logits, box_logits, height, width, confidence=confidence, iou=iou)

    logits = logits_for(BOXES, [2, 0, 2], side=128)
    assert int(graph(*logits, 128, 128, 0.5, 0.5)["count"][0]) == 3
    assert int(graph(*logits, 128, 128, 0.9945, 0.5)["count"][0]) == 0
    assert int(graph(*logits, 128, 128, 0.5, 1.0)["count"][0]) == 6
    eager = detect(*logits, 128, 128)
    for name, value in graph(*logits, 128, 128, 0.25, 0.7).items():
        np.testing.assert_allclose(value, eager[name], atol=1e-6)


def test_nothing_found_and_no_images():
    class_logits, box_logits = logits_for([], [], side=64)
    found = detect(class_logits, box_logits, 64, 64, max_detections=5)
    assert int(found["count"][0]) == 0 and not np.asarray(found["boxes"]).any()
    empty = detect(class_logits[:0], box_logits[:0], 64, 64, max_detections=5)
    assert empty["boxes"].shape == (0, 5, 4)

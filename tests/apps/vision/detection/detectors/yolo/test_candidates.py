"""From the logits at anchor points to detections."""

import numpy as np
import pytest
import tensorflow as tf

from apps.vision.detection.detectors.nms import CANDIDATES, suppress
from apps.vision.detection.detectors.yolo.anchor_points import REG_MAX, anchor_points
from apps.vision.detection.detectors.yolo.candidates import decode_candidates


def detect(class_logits, box_logits, height, width, confidence=0.25, iou=0.7, max_detections=300,
           candidates=CANDIDATES):  # fmt: skip
    boxes, scores = decode_candidates(class_logits, box_logits, height, width, candidates)
    return suppress(boxes, scores, confidence, iou, max_detections)


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

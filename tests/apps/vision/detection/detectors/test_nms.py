"""Suppression against a greedy one in plain Python."""

import numpy as np
import pytest
import tensorflow as tf

from apps.vision.detection.detectors.nms import best_candidates, suppress


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


def test_a_box_for_each_class():
    """The boxes of one class say nothing about those of another."""
    boxes, scores = random_boxes(2)
    shifts = np.random.default_rng(2).normal(0, 0.2, (*scores.shape, 2)).astype("float32")
    of_classes = boxes[:, :, None] + np.tile(shifts, 2)
    result = suppress(of_classes, scores, 0.3, 0.4, 30)
    for i in range(len(boxes)):
        expected = []
        for c in range(scores.shape[2]):
            rows = plain_nms(of_classes[i, :, c], scores[i, :, c : c + 1], 0.3, 0.4, 30)
            expected += [(score, c, box) for score, _, box in rows]
        expected = sorted(expected, key=lambda row: -row[0])[:30]
        count = int(result["count"][i])
        assert count == len(expected) > 10
        np.testing.assert_array_equal(result["classes"][i, :count], [row[1] for row in expected])
        np.testing.assert_allclose(result["boxes"][i, :count], [row[2] for row in expected])


@pytest.mark.parametrize("above", [0, 1, 5, 80])
def test_only_candidates_up_to_the_last_above_the_confidence_are_suppressed(monkeypatch, above):
    """In any order: here the last of them is the best of its image."""
    boxes, scores = random_boxes(3)
    scores /= 2
    scores[1, :above, 2] = np.linspace(0.6, 0.9, above)
    seen = []
    plain = tf.image.combined_non_max_suppression

    def counting(boxes, scores, **options):
        seen.append(boxes.shape[1])
        return plain(boxes, scores, **options)

    monkeypatch.setattr(tf.image, "combined_non_max_suppression", counting)
    check(suppress(boxes, scores, 0.55, 0.5, 30), boxes, scores, 0.55, 0.5, 30)
    assert seen == [max(above, 1)]
    whole = suppress(tf.constant(boxes), tf.constant(scores), tf.constant(0.55), 0.5, 30)
    assert whole["boxes"].shape == (3, 30, 4)


def test_the_best_candidates():
    scores = np.random.default_rng(0).permutation(60).reshape(2, 30).astype("float32")
    kept = best_candidates(scores, 4).numpy()
    np.testing.assert_array_equal(kept, np.argsort(-scores, axis=1)[:, :4])
    assert best_candidates(scores[:, :3], 4).shape == (2, 3)

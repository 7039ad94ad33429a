"""The task-aligned assignment against loops over anchors and boxes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.vision.detection.detectors.yolo.anchor_points import anchor_points
from apps.vision.detection.detectors.yolo.task_aligned_assigner import assign

SIDE = 64


def brute_force(scores, predicted, points, boxes, labels, mask, top_k, alpha, beta, min_side):
    """Indices (N,), scores (N,) of one image, written out from the paper."""

    def iou(a, b):
        width = min(a[2], b[2]) - max(a[0], b[0])
        height = min(a[3], b[3]) - max(a[1], b[1])
        meet = max(width, 0) * max(height, 0)
        union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - meet
        return meet / union if union else 0.0

    claims = {n: [] for n in range(len(points))}
    overlaps, alignments = {}, {}
    for m in range(len(boxes)):
        if not mask[m]:
            continue
        x1, y1, x2, y2 = map(float, boxes[m])
        reach_x, reach_y = max(x2 - x1, min_side) / 2, max(y2 - y1, min_side) / 2
        ranked = []
        for n, (x, y) in enumerate(points):
            if abs(x - (x1 + x2) / 2) > reach_x or abs(y - (y1 + y2) / 2) > reach_y:
                continue
            overlaps[m, n] = iou(boxes[m].astype(float), predicted[n].astype(float))
            alignments[m, n] = float(scores[n, labels[m]]) ** alpha * overlaps[m, n] ** beta
            if alignments[m, n] > 0:
                ranked.append((-alignments[m, n], n))
        for _, n in sorted(ranked)[:top_k]:
            claims[n].append(m)

    indices = np.full(len(points), -1)
    for n, claimants in claims.items():
        if claimants:
            indices[n] = max(claimants, key=lambda m: (overlaps[m, n], -m))
    targets = np.zeros(len(points))
    for m in set(indices) - {-1}:
        own = np.flatnonzero(indices == m)
        largest = max(alignments[m, n] for n in own)
        best = max(overlaps[m, n] for n in own)
        for n in own:
            targets[n] = alignments[m, n] / largest * best
    return indices, targets


def random_case(seed, count, classes=3, images=2, near=True):
    """Predictions around the anchors, and true boxes of all sizes, a third of them padding."""
    random = np.random.default_rng(seed)
    points = np.asarray(anchor_points(SIDE, SIDE)[0])
    distances = random.uniform(2, 25, (images, len(points), 4))
    predicted = np.concatenate(
        [points - distances[..., :2], points + distances[..., 2:]], axis=-1
    ).astype("float32")
    corners = random.uniform(0, SIDE, (images, count, 2, 2))
    boxes = np.sort(corners, axis=2).reshape(images, count, 4).astype("float32")
    return {
        "class_scores": random.uniform(0, 1, (images, len(points), classes)).astype("float32"),
        "predicted_boxes": predicted,
        "points": points,
        "boxes": boxes,
        "labels": random.integers(0, classes, (images, count)).astype("int32"),
        "mask": random.uniform(size=(images, count)) < 0.67,
    }


def check(case, **options):
    options = {"top_k": 10, "alpha": 0.5, "beta": 6.0, "min_side": 8.0, **options}
    result = assign(**case, **options)
    arrays = [np.asarray(x) for x in result]
    for i in range(len(case["boxes"])):
        expected, targets = brute_force(
            *(case[name][i] for name in ("class_scores", "predicted_boxes")),
            case["points"],
            *(case[name][i] for name in ("boxes", "labels", "mask")),
            **options,
        )
        boxes, labels, scores, indices = (x[i] for x in arrays)
        np.testing.assert_array_equal(indices, expected)
        np.testing.assert_allclose(scores, targets, rtol=1e-3, atol=1e-6)
        positive = indices >= 0
        np.testing.assert_array_equal(boxes[positive], case["boxes"][i][indices[positive]])
        np.testing.assert_array_equal(labels[positive], case["labels"][i][indices[positive]])
    return result


@pytest.mark.parametrize("seed", range(6))
def test_random_cases(seed):
    check(random_case(seed, count=7))


@pytest.mark.parametrize(
    "options", [{"top_k": 1}, {"top_k": 200}, {"alpha": 1.0, "beta": 2.5}, {"min_side": 0.0}]
)
def test_options(options):
    check(random_case(11, count=9), **options)


def test_images_without_boxes_have_no_targets():
    case = random_case(1, count=4)
    case["mask"][0] = False
    case["boxes"][0] = 0.0
    case["labels"][0] = -1
    result = check(case)
    assert not np.asarray(result.scores)[0].any() and (np.asarray(result.indices)[0] == -1).all()
    case["mask"][:] = False
    assert not np.asarray(check(case).scores).any()


def test_more_boxes_than_anchors():
    case = random_case(2, count=120)
    assert case["boxes"].shape[1] > case["points"].shape[0] == 84
    check(case, top_k=100)


def test_identical_boxes_share_no_anchor():
    """The first of them gets the anchors, if they are of one class; no anchor has two."""
    case = random_case(3, count=6)
    case["mask"][:] = True
    case["boxes"][:, 3:] = case["boxes"][:, :3]
    case["labels"][:, 3:] = case["labels"][:, :3]
    assert np.asarray(check(case).indices).max() < 3
    case["labels"][:, 3:] = (case["labels"][:, :3] + 1) % 3
    check(case)


def test_boxes_of_no_area_get_no_target_and_disturb_nobody():
    case = random_case(4, count=6)
    case["mask"][:] = True
    case["boxes"][:, 4:, 2:] = case["boxes"][:, 4:, :2]
    result = check(case)
    assert np.asarray(result.indices).max() < 4 and np.isfinite(result.scores).all()


def test_a_box_between_the_anchors_is_found_thanks_to_the_min_side():
    case = random_case(5, count=1)
    case["mask"][:] = True
    case["boxes"][:] = np.array([14.5, 14.5, 17.5, 17.5])  # The nearest anchors: 12 and 20.
    assert (np.asarray(check(case, min_side=0.0).indices) == -1).sum() > 150
    found = np.asarray(check(case, min_side=8.0).indices)
    assert (found == 0).any(axis=1).all()


def test_in_a_graph_with_unknown_sizes_and_without_gradients():
    case = random_case(6, count=5)

    @tf.function(reduce_retracing=True)
    def compiled(class_scores, predicted_boxes, points, boxes, labels, mask):
        return assign(class_scores, predicted_boxes, points, boxes, labels, mask)

    specs = {
        name: tf.TensorSpec([None] * value.ndim, tf.as_dtype(value.dtype))
        for name, value in case.items()
    }
    specs["boxes"] = tf.TensorSpec([None, None, 4])
    specs["predicted_boxes"] = tf.TensorSpec([None, None, 4])
    graph = compiled.get_concrete_function(**specs)
    tensors = {name: tf.constant(value) for name, value in case.items()}
    for a, b in zip(graph(**tensors), assign(**case), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)

    with tf.GradientTape() as tape:
        tape.watch([tensors["class_scores"], tensors["predicted_boxes"]])
        total = tf.reduce_sum(assign(**tensors).scores)
    gradients = tape.gradient(total, [tensors["class_scores"], tensors["predicted_boxes"]])
    assert gradients == [None, None]


def test_low_precision_scores_are_taken_in_float32():
    case = random_case(7, count=5)
    case["class_scores"] = keras.ops.cast(case["class_scores"], "bfloat16")
    assert assign(**case).scores.dtype == tf.float32

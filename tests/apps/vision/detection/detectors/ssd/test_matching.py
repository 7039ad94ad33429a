"""Matching against loops, and the cases in which its rules disagree."""

import numpy as np
import pytest

from apps.vision.detection.detectors.ssd.matching import match, matched_counts


def plain_iou(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    meet = max(width, 0.0) * max(height, 0.0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - meet
    return meet / union if union > 0 else 0.0


def plain_match(boxes, mask, defaults, threshold):
    """One image, loop by loop."""
    real = [m for m in range(len(boxes)) if mask[m]]
    iou = {(m, n): plain_iou(boxes[m], defaults[n]) for m in real for n in range(len(defaults))}
    matched = [-1] * len(defaults)
    for n in range(len(defaults)):
        for m in real:
            if iou[m, n] > threshold and (matched[n] < 0 or iou[m, n] > iou[matched[n], n]):
                matched[n] = m
    claims = {}

    def apart(m, n):
        a, b = boxes[m], defaults[n]
        return abs(a[0] + a[2] - b[0] - b[2]) / 2 + abs(a[1] + a[3] - b[1] - b[3]) / 2

    for m in real:
        n = max(range(len(defaults)), key=lambda n: (iou[m, n] - 0.01 * apart(m, n), -n))
        if iou[m, n] > 0 and (n not in claims or iou[m, n] > iou[claims[n], n]):
            claims[n] = m
    for n, m in claims.items():
        matched[n] = m
    return matched


def random_boxes(generator, *shape):
    corners = np.sort(generator.uniform(0, 1, (*shape, 2, 2)), axis=-2)
    return corners.reshape(*shape, 4).astype("float32")


@pytest.mark.parametrize("threshold", [0.5, 0.2, 0.9])
def test_against_loops(threshold):
    generator = np.random.default_rng(int(10 * threshold))
    boxes, defaults = random_boxes(generator, 6, 9), random_boxes(generator, 150)
    mask = generator.uniform(size=(6, 9)) < 0.7
    mask[-1] = False
    matched = np.asarray(match(boxes, mask, defaults, threshold))
    expected = [plain_match(*image, defaults, threshold) for image in zip(boxes, mask, strict=True)]
    np.testing.assert_array_equal(matched, expected)
    assert (matched[-1] == -1).all() and (matched[:-1] >= 0).any(axis=1).all()
    counts = np.maximum((matched >= 0).sum(axis=1), 1)
    np.testing.assert_array_equal(matched_counts(matched), counts)


def matched_of(boxes, defaults, **options):
    boxes = np.array([boxes], "float32")
    mask = np.ones(boxes.shape[:2], bool)
    return np.asarray(match(boxes, mask, np.array(defaults, "float32"), **options))[0].tolist()


LEFT, RIGHT = [0.0, 0.0, 0.5, 0.5], [0.5, 0.0, 1.0, 0.5]


def test_the_best_default_box_of_a_box_is_matched_however_little_they_overlap():
    assert matched_of([[0.0, 0.0, 0.1, 0.1]], [RIGHT, LEFT]) == [-1, 0]


def test_the_best_default_box_of_a_box_is_its_own_even_if_another_overlaps_it_more():
    first = [0.0, 0.0, 0.5, 0.5]
    defaults = [first, [0.0, 0.0, 0.5, 0.45]]
    # The small box has its best in the second, which the first box also overlaps by 0.9.
    assert matched_of([first, [0.1, 0.1, 0.4, 0.2]], defaults) == [0, 1]


def test_of_equal_default_boxes_the_first_and_of_equal_boxes_the_first():
    assert matched_of([[0.1, 0.1, 0.2, 0.2]], [RIGHT, LEFT, LEFT]) == [-1, 0, -1]
    assert matched_of([LEFT, LEFT], [LEFT, RIGHT]) == [0, -1]


def test_of_default_boxes_around_a_small_box_the_nearest_has_it():
    around = [[0.0, 0.0, 0.4, 0.4], [0.1, 0.1, 0.5, 0.5], [0.2, 0.2, 0.6, 0.6]]
    assert matched_of([[0.31, 0.28, 0.33, 0.32]], around) == [-1, 0, -1]
    # A larger overlap counts more than a nearer centre.
    assert matched_of([[0.31, 0.28, 0.33, 0.32]], [*around, [0.3, 0.28, 0.4, 0.4]])[3] == 0


def test_of_two_boxes_with_the_same_best_default_box_the_nearer_one_has_it():
    assert matched_of([[0.0, 0.0, 0.1, 0.1], [0.1, 0.1, 0.4, 0.4]], [LEFT]) == [1]


def test_exactly_the_threshold_is_not_above_it():
    half = [0.0, 0.0, 0.5, 0.25]
    assert matched_of([LEFT], [LEFT, half], threshold=0.51) == [0, -1]
    assert matched_of([LEFT], [LEFT, half], threshold=0.49) == [0, 0]


def test_a_box_without_area_is_matched_with_nothing():
    assert matched_of([[0.2, 0.2, 0.2, 0.2], [0.6, 0.0, 0.6, 0.5]], [LEFT, RIGHT]) == [-1, -1]

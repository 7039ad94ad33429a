"""K-means of sides against loops, and what it gains."""

import numpy as np

from apps.vision.detection.detectors.anchor_reach import reached_by_ssd
from apps.vision.detection.detectors.ssd.anchor_fit import cluster, fit_shapes
from apps.vision.detection.detectors.ssd.default_boxes import BOXES_PER_CELL, paper_shapes


def plain_cluster(sides, count):
    distinct = sorted({tuple(each) for each in sides}, key=lambda each: (each[0] * each[1], each))
    centres = [distinct[int((k + 0.5) / count * len(distinct))] for k in range(count)]
    for _ in range(300):
        groups = [[] for _ in centres]
        for w, h in sides:
            overlaps = []
            for u, v in centres:
                meet = min(w, u) * min(h, v)
                overlaps.append(meet / (w * h + u * v - meet))
            groups[int(np.argmax(overlaps))].append((w, h))
        moved = [
            tuple(np.mean(group, axis=0)) if group else centre
            for group, centre in zip(groups, centres, strict=True)
        ]
        if moved == centres:
            break
        centres = moved
    return sorted(centres, key=lambda each: each[0] * each[1])


def test_against_loops():
    sides = np.random.default_rng(0).uniform(0.02, 0.3, (120, 2))
    np.testing.assert_allclose(cluster(sides, 5), plain_cluster(sides.tolist(), 5), rtol=1e-9)


def test_clear_clusters_are_found_whatever_the_order():
    wide, high, small = (0.4, 0.1), (0.1, 0.4), (0.05, 0.05)
    sides = np.repeat([wide, high, small], [5, 40, 15], axis=0)
    sides = sides * np.random.default_rng(0).uniform(0.95, 1.05, sides.shape)
    found = cluster(sides, 3)
    np.testing.assert_allclose(sorted(found.tolist()), sorted([wide, high, small]), rtol=0.06)
    np.testing.assert_allclose(cluster(sides[::-1], 3), found, rtol=1e-9)


def boxes_of(sides):
    centres = np.random.default_rng(1).uniform(0.2, 0.8, sides.shape)
    return np.concatenate([centres - sides / 2, centres + sides / 2], axis=1).astype("float32")


def test_long_boxes_are_reached_and_maps_without_boxes_keep_the_paper_s():
    generator = np.random.default_rng(0)
    boxes = boxes_of(generator.uniform([0.2, 0.03], [0.3, 0.06], (300, 2)))
    shapes = fit_shapes(boxes)
    assert tuple(map(len, shapes)) == BOXES_PER_CELL
    assert shapes[0] != paper_shapes()[0] and shapes[2:] == paper_shapes()[2:]
    before, after = (reached_by_ssd(boxes, 320, each).mean() for each in (None, shapes))
    assert before < 0.2 and after > 0.9


def test_no_boxes_and_boxes_without_area_leave_the_paper_s():
    assert fit_shapes(np.zeros((0, 4), "float32")) == paper_shapes()
    assert fit_shapes(np.full((9, 4), 0.5, "float32")) == paper_shapes()

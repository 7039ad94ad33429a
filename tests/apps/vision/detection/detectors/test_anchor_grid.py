"""Anchors on a grid, one by one, and the best of them for a box."""

import numpy as np
import pytest
import tensorflow as tf

from apps.vision.detection.detectors.anchor_grid import best_overlaps, grid_anchors
from shared.losses import pairwise_box_iou

SHAPES = [(0.2, 0.1), (0.5, 0.5), (0.05, 0.3)]


def plain_anchors(rows, columns, shapes):
    return [
        [(c + 0.5) / columns - w / 2, (r + 0.5) / rows - h / 2,
         (c + 0.5) / columns + w / 2, (r + 0.5) / rows + h / 2]
        for r in range(rows) for c in range(columns) for w, h in shapes
    ]  # fmt: skip


@pytest.mark.parametrize("rows, columns", [(3, 5), (4, 4), (1, 1), (1, 3)])
def test_order_and_places(rows, columns):
    anchors = np.asarray(grid_anchors(rows, columns, SHAPES))
    np.testing.assert_allclose(anchors, plain_anchors(rows, columns, SHAPES), atol=1e-6)


def test_sizes_may_be_known_late():
    graph = tf.function(
        lambda rows, columns: grid_anchors(rows, columns, SHAPES),
        input_signature=[tf.TensorSpec((), "int32")] * 2,
    )
    np.testing.assert_allclose(graph(2, 3), plain_anchors(2, 3, SHAPES), atol=1e-6)


def test_the_best_overlap_is_that_of_all_anchors():
    generator = np.random.default_rng(0)
    corners = np.sort(generator.uniform(-0.1, 1.1, (300, 2, 2)), axis=1)
    boxes = corners.reshape(-1, 4).astype("float32")
    grids = [(6, 9, np.array(SHAPES)), (3, 3, np.array([(0.7, 0.6)])), (1, 1, np.array([(1, 1)]))]
    anchors = np.concatenate([grid_anchors(*grid) for grid in grids])
    expected = np.asarray(pairwise_box_iou(boxes, anchors)).max(axis=1)
    np.testing.assert_allclose(best_overlaps(boxes, grids), expected, atol=1e-4)

"""Default boxes one by one, by the paper's rule in plain Python."""

import math

import numpy as np
import pytest
import tensorflow as tf

from apps.vision.detection.detectors.ssd.default_boxes import (
    BOXES_PER_CELL,
    default_boxes,
    map_sides,
    paper_shapes,
    scales,
)

# Scales of the maps, and of one more, in figures.
SCALES = [0.1, 0.2, 0.375, 0.55, 0.725, 0.9, 1.075]


def plain_default_boxes(sides):
    """Every box of every cell of maps of the given numbers of cells, as lists of four numbers."""
    boxes = []
    for number, cells in enumerate(sides):
        scale, following = SCALES[number], SCALES[number + 1]
        ratios = [1, 2, 1 / 2] if number in (0, 4, 5) else [1, 2, 1 / 2, 3, 1 / 3]
        shapes = [(scale * math.sqrt(a), scale / math.sqrt(a)) for a in ratios]
        shapes.insert(1, (math.sqrt(scale * following),) * 2)
        for row in range(cells):
            for column in range(cells):
                x, y = (column + 0.5) / cells, (row + 0.5) / cells
                boxes += [[x - w / 2, y - h / 2, x + w / 2, y + h / 2] for w, h in shapes]
    return boxes


def test_boxes_at_320_pixels():
    boxes = np.asarray(default_boxes(320, 320, paper_shapes()))
    assert boxes.shape == (9590, 4)
    np.testing.assert_allclose(boxes, plain_default_boxes([40, 20, 10, 5, 3, 1]), atol=1e-6)
    np.testing.assert_allclose(scales(), SCALES)


def test_four_or_six_boxes_for_each_cell():
    assert BOXES_PER_CELL == (4, 6, 6, 6, 4, 4)
    assert tuple(map(len, paper_shapes())) == BOXES_PER_CELL


@pytest.mark.parametrize(
    "side, cells",
    [
        (32, [4, 2, 1, 1, 1, 1]),
        (64, [8, 4, 2, 1, 1, 1]),
        (300 + 20, [40, 20, 10, 5, 3, 1]),
        (512, [64, 32, 16, 8, 4, 2]),
        (640, [80, 40, 20, 10, 5, 2]),
    ],
)
def test_cells_of_maps(side, cells):
    assert map_sides(side) == cells
    assert [int(n) for n in map_sides(tf.constant(side))] == cells


def test_sizes_may_be_known_late_and_need_not_be_equal():
    graph = tf.function(
        lambda height, width: default_boxes(height, width, paper_shapes()),
        input_signature=[tf.TensorSpec((), "int32")] * 2,
    )
    np.testing.assert_allclose(graph(64, 64), plain_default_boxes([8, 4, 2, 1, 1, 1]), atol=1e-6)
    wide = np.asarray(default_boxes(32, 64, paper_shapes()))
    assert len(wide) == (4 * 8 + 1 + 1) * 4 + (2 * 4 + 1 * 2 + 1) * 6
    np.testing.assert_allclose(wide[0], [1 / 16 - 0.05, 1 / 8 - 0.05, 1 / 16 + 0.05, 1 / 8 + 0.05])

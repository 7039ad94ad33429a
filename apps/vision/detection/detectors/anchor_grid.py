"""Anchor boxes on a grid: some shapes at the centre of every cell of a feature map."""

from collections.abc import Iterable

import numpy as np
from keras import ops


def grid_anchors(rows, columns, shapes):
    """Boxes of every shape at every cell, in the order of a feature map's channels.

    Args:
        rows: int or int scalar tensor. Cells of the feature map from top to bottom.
        columns: int or int scalar tensor. Cells from left to right.
        shapes: float tensor (K, 2) or list of K pairs. Width and height, as shares of the image's.

    Returns:
        float32 tensor (rows * columns * K, 4), normalised xyxy, not clipped to the image; row by
        row, cell by cell, and all shapes of a cell one after the other.
    """
    shapes = ops.convert_to_tensor(shapes, "float32")
    y, x = (
        (ops.cast(ops.arange(count), "float32") + 0.5) / ops.cast(count, "float32")
        for count in (rows, columns)
    )
    x, y = ops.meshgrid(x, y)
    centres = ops.reshape(ops.stack([x, y], axis=-1), (-1, 1, 2))
    anchors = ops.concatenate([centres - shapes / 2.0, centres + shapes / 2.0], axis=-1)
    return ops.reshape(anchors, (-1, 4))


def best_overlaps(boxes: np.ndarray, grids: Iterable[tuple[int, int, np.ndarray]]) -> np.ndarray:
    """The best IoU of each box with an anchor of any grid.

    Of the anchors of one shape, the one whose centre is nearest overlaps most, so that it is not
    necessary to compare a box with all of them.

    Args:
        boxes: float (n, 4), normalised xyxy.
        grids: (rows, columns, shapes) as for `grid_anchors`, shapes float (K, 2).

    Returns:
        float (n,).
    """
    boxes = np.asarray(boxes, np.float64)
    best = np.zeros(len(boxes))
    for rows, columns, shapes in grids:
        cells = np.array([columns, rows])
        nearest = np.floor((boxes[:, :2] + boxes[:, 2:]) / 2 * cells)
        centres = (nearest.clip(0, cells - 1) + 0.5) / cells
        for shape in np.asarray(shapes, np.float64):
            best = np.maximum(best, _iou(boxes, centres - shape / 2, centres + shape / 2))
    return best


def _iou(boxes, lower, upper):
    """IoU of boxes (n, 4) and of those from `lower` to `upper` (n, 2), row by row."""
    meet = np.minimum(boxes[:, 2:], upper) - np.maximum(boxes[:, :2], lower)
    meet = np.maximum(meet, 0).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (upper - lower).prod(axis=1)
    return meet / (areas - meet)

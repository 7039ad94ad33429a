"""Which boxes the anchors of each architecture reach, for `check`."""

from collections.abc import Callable, Sequence

import numpy as np

from apps.vision.detection.annotations.image_boxes import ImageBoxes
from apps.vision.detection.config import FasterRCNNConfig
from apps.vision.detection.detectors.anchor_grid import best_overlaps
from apps.vision.detection.detectors.faster_rcnn.anchors import anchor_grids
from apps.vision.detection.detectors.ssd.default_boxes import Shapes, map_sides, paper_shapes
from apps.vision.detection.features import STRIDES
from apps.vision.detection.letterbox_boxes import boxes_in_square

MIN_OVERLAP = 0.5  # IoU above which an anchor reaches a box


def reached_by_yolo(boxes: np.ndarray, side: int) -> np.ndarray:
    """bool (n,): the boxes with an anchor point inside.

    Args:
        boxes: float (n, 4), normalised xyxy of the square.
        side: int. Of the square, in pixels.
    """
    inside = np.zeros(len(boxes), bool)
    for stride in STRIDES:
        cells = boxes * (side / stride)
        # Points stand at the halves: 0.5, 1.5, and so on.
        first = np.ceil(cells[:, :2] - 0.5) + 0.5
        inside |= (first <= cells[:, 2:]).all(axis=1)
    return inside


def reached_by_ssd(boxes: np.ndarray, side: int, shapes: Shapes | None = None) -> np.ndarray:
    """bool (n,): the boxes that a default box overlaps by more than `MIN_OVERLAP`.

    Args:
        boxes: float (n, 4), normalised xyxy of the square.
        side: int. Of the square, in pixels.
        shapes: of the default boxes; None: the paper's.
    """
    cells = map_sides(side)
    grids = zip(cells, cells, shapes or paper_shapes(), strict=True)
    return best_overlaps(boxes, grids) > MIN_OVERLAP


def reached_by_faster_rcnn(
    boxes: np.ndarray, side: int, scale: float = FasterRCNNConfig().anchor_scale
) -> np.ndarray:
    """bool (n,): the boxes that an anchor overlaps by more than `MIN_OVERLAP`.

    Args:
        boxes: float (n, 4), normalised xyxy of the square.
        side: int. Of the square, in pixels.
        scale: float. Side of the anchors, in strides of their level.
    """
    return best_overlaps(boxes, anchor_grids(side, side, scale)) > MIN_OVERLAP


# Architecture to its function of boxes and side, and in words when a box is reached.
REACHED: dict[str, tuple[Callable[[np.ndarray, int], np.ndarray], str]] = {
    "yolo": (reached_by_yolo, "with an anchor point inside"),
    "ssd": (reached_by_ssd, "that a default box overlaps by more than 0.5"),
    "faster-rcnn": (reached_by_faster_rcnn, "that an anchor overlaps by more than 0.5"),
}


def describe_reach(images: Sequence[ImageBoxes], side: int) -> list[str]:
    """Lines with the share of the boxes that each architecture reaches; none without boxes.

    Args:
        images: with their boxes; regions of a crowd do not count.
        side: int. Of the square that images are fitted into, in pixels.
    """
    boxes = boxes_in_square(images, side)
    if not len(boxes):
        return []
    return [
        f"at {side} pixels, boxes in reach of {name}: {reached(boxes, side).mean():.1%} ({words})"
        for name, (reached, words) in REACHED.items()
    ]

"""Merges the detections of overlapping tiles into one list for the image.

An object at the border of a tile is cut: the tile shows a piece of it. Suppression by overlap
alone leaves the piece beside the whole object that the neighbouring tile has, because a small part
overlaps little with the whole. So a box that ends at a border inside the image counts as a piece,
and pieces are judged by what both tiles can see: two boxes of one class show the same object if,
clipped to the area that their tiles share, they overlap by more than half.

1. Whole boxes: suppression by class, as for a single image.
2. A piece of an object that is there as a whole box, from a neighbour or from the view of the whole
   image, is dropped, however good its score.
3. Pieces of the same object, which no view shows whole, become the one box around them.
4. Suppression by class again, over both.
"""

from typing import NamedTuple

import numpy as np

# A box so near to a border, as a part of the view's side, ends there: boxes are not exact.
NEAR = 0.02
AGREEMENT = 0.5


class Found(NamedTuple):
    """Detections of one image: boxes float32 (n, 4) xyxy, scores float32 (n,), classes int (n,)."""

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray

    def take(self, chosen) -> "Found":
        """Those that an index array or a mask chooses."""
        return Found(*(array[chosen] for array in self))


def merge(
    found: list[Found],
    views: list[tuple],
    size: tuple[int, int],
    iou: float,
    max_detections: int,
) -> Found:
    """Merges the detections of several views of one image.

    Args:
        found: for each view, boxes in pixels of the image.
        views: (x1, y1, x2, y2) of each view in pixels of the image.
        size: width and height of the image.
        iou: float. Overlap above which the weaker of two boxes of a class is dropped.
        max_detections: int.

    Returns:
        `Found`, best first, boxes in pixels.
    """
    views = [np.array(view, np.float32) for view in views]
    everything = Found(*(np.concatenate(arrays) for arrays in zip(*found, strict=True)))
    view_of = np.repeat(np.arange(len(found)), [len(each.scores) for each in found])
    # The rest has no chance to be among the best, and comparisons cost the square of the number.
    order = np.argsort(-everything.scores, kind="stable")[: 5 * max_detections + 2000]
    everything = everything.take(order)
    windows = np.stack(views)[view_of[order]]
    is_piece = _is_piece(everything.boxes, windows, size)

    parts = []
    for number in np.unique(everything.classes):
        of_class = everything.classes == number
        whole = np.flatnonzero(of_class & ~is_piece)
        whole = whole[suppress(everything.boxes[whole], iou)]
        pieces = np.flatnonzero(of_class & is_piece)
        pieces = _unexplained(everything.boxes, windows, pieces, whole)
        joined = _joined(everything, windows, pieces)
        both = Found(*map(np.concatenate, zip(everything.take(whole), joined, strict=True)))
        both = both.take(np.argsort(-both.scores, kind="stable"))
        parts.append(both.take(suppress(both.boxes, iou)))
    merged = Found(*map(np.concatenate, zip(*parts, strict=True))) if parts else everything
    return merged.take(np.argsort(-merged.scores, kind="stable")[:max_detections])


def suppress(boxes: np.ndarray, iou: float) -> np.ndarray:
    """Indices of the boxes (n, 4), best first, that no kept one overlaps by more than `iou`."""
    kept, left = [], np.arange(len(boxes))
    while len(left):
        first, left = left[0], left[1:]
        kept.append(first)
        left = left[box_iou(boxes[first], boxes[left]) <= iou]
    return np.array(kept, np.intp)


def box_iou(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (4,) or (n, 4) with boxes (n, 4); 0 where both are empty."""
    meet = _area(_clipped(box, boxes))
    union = _area(box) + _area(boxes) - meet
    return np.divide(meet, union, out=np.zeros_like(meet), where=union > 0)


def _area(boxes):
    sides = np.maximum(boxes[..., 2:] - boxes[..., :2], 0.0)
    return sides[..., 0] * sides[..., 1]


def _clipped(boxes, windows):
    """The intersections; the corners of those that are empty are in the wrong order."""
    return np.concatenate(
        [
            np.maximum(boxes[..., :2], windows[..., :2]),
            np.minimum(boxes[..., 2:], windows[..., 2:]),
        ],
        axis=-1,
    )


def _is_piece(boxes, windows, size):
    """Which boxes end at a border of their view that is not the image's."""
    near = NEAR * np.tile(windows[:, 2:] - windows[:, :2], 2)
    image = np.array([0, 0, *size], np.float32)
    return ((np.abs(boxes - windows) <= near) & (windows != image)).any(axis=1)


def _same_object(boxes, windows, one, others):
    """Whether box number `one` and each of `others` agree where both of their views look."""
    shared = _clipped(windows[one], windows[others])
    is_other_view = (windows[others] != windows[one]).any(axis=1)
    seen, of_others = _clipped(boxes[one], shared), _clipped(boxes[others], shared)
    return is_other_view & (box_iou(seen, of_others) > AGREEMENT)


def _unexplained(boxes, windows, pieces, whole):
    """The pieces of which no whole box shows the object."""
    is_left = [not _same_object(boxes, windows, piece, whole).any() for piece in pieces]
    return pieces[np.array(is_left, bool)]


def _joined(found, windows, pieces):
    """Pieces to objects: each group that hangs together becomes one box with the best score."""
    group_of = np.arange(len(pieces))
    for index, piece in enumerate(pieces):
        same = _same_object(found.boxes, windows, piece, pieces)
        groups = np.unique(group_of[same])
        group_of[np.isin(group_of, groups)] = group_of[index]
    members = [pieces[group_of == group] for group in np.unique(group_of)]
    boxes = [
        [*found.boxes[each, :2].min(axis=0), *found.boxes[each, 2:].max(axis=0)] for each in members
    ]
    first = np.array([each[0] for each in members], np.intp)  # The pieces are best first.
    return Found(
        np.array(boxes, np.float32).reshape(-1, 4), found.scores[first], found.classes[first]
    )

"""Sides of SSD's default boxes from the training boxes, by k-means with the distance 1 - IoU."""

import numpy as np

from apps.vision.detection.detectors.ssd.default_boxes import Shapes, paper_shapes

ITERATIONS = 300


def fit_shapes(boxes: np.ndarray) -> Shapes:
    """Sides of the default boxes of each map.

    A map takes the boxes about as large as its scale: a box belongs to the map whose first
    default box, a square, has the area nearest to its own by ratio. The boxes of a map are parted
    into as many clusters as the map has default boxes in a cell. A map with too few boxes for that
    keeps the sides of the paper.

    Args:
        boxes: float (n, 4), normalised xyxy of the square that the network sees.

    Returns:
        As `paper_shapes`, small boxes first.
    """
    sides = np.asarray(boxes[:, 2:] - boxes[:, :2], np.float64)
    sides = sides[(sides > 0).all(axis=1)]
    shapes = paper_shapes()
    scales = np.array([of_map[0][0] for of_map in shapes])
    sizes = np.log(np.sqrt(sides.prod(axis=1)))
    map_of = np.abs(sizes[:, None] - np.log(scales)).argmin(axis=1)
    for number, of_map in enumerate(shapes):
        own = sides[map_of == number]
        if len(np.unique(own, axis=0)) >= len(of_map):
            shapes[number] = [tuple(map(float, each)) for each in cluster(own, len(of_map))]
    return shapes


def cluster(sides: np.ndarray, count: int) -> np.ndarray:
    """Centres of clusters of boxes that share their centre, by k-means.

    The distance is 1 - IoU, a centre the mean width and height. It starts from boxes of evenly
    spaced ranks by area, so that the same boxes always give the same centres.

    Args:
        sides: float (n, 2). Widths and heights, n at least `count`.
        count: int. Number of clusters.

    Returns:
        float (count, 2), small ones first.

    Reference: [Redmon and Farhadi, 2016](https://arxiv.org/abs/1612.08242), section 2
    """
    distinct = np.unique(sides, axis=0)
    by_area = distinct[np.argsort(distinct.prod(axis=1), kind="stable")]
    ranks = (np.arange(count) + 0.5) / count * len(by_area)
    centres = by_area[ranks.astype(int)]
    nearest = None
    for _ in range(ITERATIONS):
        before, nearest = nearest, overlaps(sides, centres).argmax(axis=1)
        if before is not None and (before == nearest).all():
            break
        for number in range(count):
            members = sides[nearest == number]
            if len(members):
                centres[number] = members.mean(axis=0)
    return centres[np.argsort(centres.prod(axis=1), kind="stable")]


def overlaps(sides: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """IoU (n, k) of boxes of sides (n, 2) and (k, 2) that share their centre."""
    meet = np.minimum(sides[:, None], centres).prod(axis=2)
    return meet / (sides.prod(axis=1)[:, None] + centres.prod(axis=1) - meet)

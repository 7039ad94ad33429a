"""COCO's evaluation by pycocotools, of arrays.

`BoxEvaluation` does COCOeval's first step, the matching, on arrays: its loops over dictionaries
would take seconds after every epoch. Averages over recall levels and thresholds are COCOeval's.
The numbers are those that pycocotools gives for the same boxes in JSON files, to the last bit.
The area of a truth, which decides on its size, is the annotation's own (in COCO's files that of
the outline), or that of its box.

Reference: [Lin et al., 2014](https://arxiv.org/abs/1405.0312), cocodataset.org/#detection-eval
"""

import contextlib
import copy
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools import mask
from pycocotools.cocoeval import COCOeval

from apps.vision.detection.annotations.image_boxes import ImageBoxes

# Pixels are rounded to this many digits, as `detect convert` writes them: a side of 32 pixels is
# again 32 after its way through normalised float32, and falls into the size that it belongs to.
DIGITS = 3
MIN_OVERLAP = 0.5
ALL_SIZES, MAX_DETECTIONS = 0, -1  # indices in COCOeval's areaRng and maxDets


@dataclass(frozen=True, eq=False)
class Detections:
    """Detections of one image.

    Attributes:
        boxes: float32 (n, 4). Normalised xyxy of the original image.
        scores: float32 (n,).
        classes: int32 (n,).
    """

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray


@dataclass
class ImageMatches:
    """Matches of the detections of one image with its boxes at IoU 0.5, class by class.

    Attributes:
        kept: int (k,). Positions in the image's `Detections` that COCO counts: of each class the
            100 best.
        truth: int (k,). Position in the image's boxes that each one found, or -1.
        ignored: bool (k,). Lies in a crowd region: neither right nor wrong.
    """

    kept: np.ndarray
    truth: np.ndarray
    ignored: np.ndarray


def xywh_pixels(boxes, width, height):
    """Boxes as COCO files have them.

    Args:
        boxes: float array (n, 4), normalised xyxy.
        width: int. Of the image, in pixels.
        height: int.

    Returns:
        float64 array (n, 4): x, y, width, height in pixels, rounded to 1/1000.
    """
    corners = np.asarray(boxes, np.float64).reshape(-1, 4) * [width, height, width, height]
    return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1).round(DIGITS)


def truth_areas(image, boxes_xywh):
    """float64 (n,): the areas of an image's truths in pixels."""
    of_boxes = boxes_xywh[:, 2] * boxes_xywh[:, 3]
    return of_boxes if image.areas is None else np.where(image.areas > 0, image.areas, of_boxes)


class BoxEvaluation(COCOeval):
    """COCOeval of arrays instead of JSON files. Image and category ids are positions + 1.

    Of equal scores in several images, that of the first image counts as the better one; COCO's
    files are read in the order of their ids, which pycocotools goes by.

    Args:
        images: list of ImageBoxes. The truth.
        detections: list of Detections, one for each image.
        num_classes: int.

    Attributes:
        matches: list of ImageMatches, one for each image, after `evaluate`.
        eval: dict of COCOeval's arrays, after `accumulate`: "precision" (T, R, K, A, M), "recall"
            (T, K, A, M), for IoU thresholds, recall levels, classes, sizes and limits of
            detections; -1 where there is no truth.
    """

    def __init__(
        self, images: Sequence[ImageBoxes], detections: Sequence[Detections], num_classes: int
    ):
        super().__init__(iouType="bbox")
        self.images = images
        self.detections = detections
        self.params.imgIds = list(range(1, len(images) + 1))
        self.params.catIds = list(range(1, num_classes + 1))
        self.matches: list[ImageMatches] = []

    def evaluate(self) -> None:
        """Matches the detections of all images; fills `evalImgs` and `matches`."""
        classes, sizes = len(self.params.catIds), len(self.params.areaRng)
        # As COCOeval orders them: by category, then by size, then by image.
        table = np.full((classes, sizes, len(self.images)), None, object)
        for number, (truth, found) in enumerate(zip(self.images, self.detections, strict=True)):
            self.matches.append(self._evaluate_image(truth, found, table[:, :, number]))
        self.evalImgs = table.ravel().tolist()
        self._paramsEval = copy.deepcopy(self.params)

    def accumulate(self, p=None) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            super().accumulate(p)

    def _evaluate_image(self, image, found, table) -> ImageMatches:
        """Fills an image's (classes, sizes) part of the table."""
        truth_boxes = xywh_pixels(image.boxes, image.width, image.height)
        found_boxes = xywh_pixels(found.boxes, image.width, image.height)
        areas = truth_areas(image, truth_boxes)
        matches = [(np.zeros(0, int), np.zeros(0, int), np.zeros(0, bool))]
        for label in np.union1d(image.labels, found.classes):
            truth = np.flatnonzero(image.labels == label)
            kept = np.flatnonzero(found.classes == label)
            kept = kept[np.argsort(-found.scores[kept], kind="stable")][: self.params.maxDets[-1]]
            scores = {"dtScores": found.scores[kept].astype(np.float64)}
            pair = _Pair(truth_boxes[truth], areas[truth], image.crowd[truth], found_boxes[kept])
            for size, area_range in enumerate(self.params.areaRng):
                row, taken = pair.evaluate(self.params.iouThrs, *area_range)
                table[label, size] = row | scores
                if size == ALL_SIZES:
                    matches.append((kept, np.append(truth, -1)[taken[0]], row["dtIgnore"][0]))
        return ImageMatches(*map(np.concatenate, zip(*matches, strict=True)))


class _Pair:
    """The boxes of one class in one image and those that were found, best first."""

    def __init__(self, truth, areas, crowd, found):
        self.crowd = crowd
        self.truth_areas = areas
        self.found_areas = found[:, 2] * found[:, 3]
        self.near = near_truths(found, truth, crowd)

    def evaluate(self, thresholds, min_area, max_area):
        """COCOeval's `evaluateImg` for one range of areas.

        Args:
            thresholds: float array (T,), rising. The minimum overlaps.
            min_area, max_area: float. The range, in pixels.

        Returns:
            (a row of `evalImgs`, without the scores; int (T, D), the truth of each found box, -1
            for none)
        """
        ignored = self.crowd | (self.truth_areas < min_area) | (self.truth_areas > max_area)
        taken = match(self.near, len(self.found_areas), ignored, self.crowd, thresholds)
        is_found = taken >= 0
        outside = (self.found_areas < min_area) | (self.found_areas > max_area)
        row = {
            "dtMatches": is_found,
            "dtIgnore": np.where(is_found, np.append(ignored, False)[taken], outside),
            "gtIgnore": ignored,
        }
        return row, taken


def near_truths(found, truth, crowd) -> dict[int, list[tuple[int, float]]]:
    """The truths that each box overlaps by MIN_OVERLAP at least; most boxes are far from all.

    Args:
        found: float64 array (D, 4), xywh in pixels.
        truth: float64 array (G, 4).
        crowd: bool array (G,). Here the overlap is the share of the found box that lies inside.

    Returns:
        Index of the box to a list of (index of the truth, overlap), in rising order.
    """
    near: dict[int, list[tuple[int, float]]] = {}
    if len(found) and len(truth):
        overlaps = mask.iou(found, truth, crowd.astype(np.uint8))
        pairs = np.nonzero(overlaps >= MIN_OVERLAP)
        rows = zip(*(part.tolist() for part in (*pairs, overlaps[pairs])), strict=True)
        for box, index, overlap in rows:
            near.setdefault(box, []).append((index, overlap))
    return near


def match(near, count, ignored, crowd, thresholds):
    """Gives each box, best score first, the free truth that it overlaps most.

    Args:
        near: dict as from `near_truths`, of boxes with the best score first.
        count: int. D, all boxes.
        ignored: bool array (G,). Taken only by boxes for which no other truth is left.
        crowd: bool array (G,). May be taken any number of times.
        thresholds: float array (T,), rising. The minimum overlaps.

    Returns:
        int array (T, D): the truth that each box takes at each threshold, or -1.
    """
    taken = np.full((len(thresholds), count), -1)
    ignored, crowd = ignored.tolist(), crowd.tolist()
    free = [[True] * len(ignored) for _ in thresholds] if near else []
    for box, truths in near.items():
        truths = sorted(truths, key=lambda pair: ignored[pair[0]])
        highest = max(overlap for _, overlap in truths)
        for step, threshold in enumerate(thresholds):
            if highest < threshold:
                break
            best = _best_free(truths, threshold, free[step], ignored)
            if best >= 0:
                free[step][best] = crowd[best]
                taken[step, box] = best
    return taken


def _best_free(truths, threshold, free, ignored):
    best, best_overlap = -1, threshold
    for truth, overlap in truths:
        if best >= 0 and ignored[truth] and not ignored[best]:
            break
        # The later one of equals, as in COCOeval.
        if free[truth] and overlap >= best_overlap:
            best, best_overlap = truth, overlap
    return best

"""Right, wrong and missed boxes at IoU 0.5, for pictures, precision, recall and F1.

Takes COCOeval's matches as they are: since boxes are matched best score first, what is right
above a confidence does not depend on the boxes below it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from apps.vision.detection.annotations.image_boxes import ImageBoxes
from apps.vision.detection.evaluation.coco_evaluation import (
    MIN_OVERLAP,
    Detections,
    ImageMatches,
    match,
    near_truths,
    xywh_pixels,
)

CONFIDENCES = np.linspace(0, 1, 1001)


@dataclass(frozen=True, eq=False)
class ImageJudgement:
    """The boxes of one image at one confidence; crowd regions and what lies in them are left out.

    Attributes:
        right: int (r,). Positions of detections that found a box of their class.
        found: int (r,). Positions of those boxes.
        wrong: int (w,). Positions of the other detections: false alarms, best score first.
        missed: int (m,). Positions of the other boxes.
    """

    right: np.ndarray
    found: np.ndarray
    wrong: np.ndarray
    missed: np.ndarray

    @property
    def faults(self) -> int:
        return len(self.wrong) + len(self.missed)

    @property
    def f1(self) -> float:
        """1 for an image without boxes in which nothing is found."""
        return 2 * len(self.right) / (2 * len(self.right) + self.faults) if self.faults else 1.0


def judge(
    image: ImageBoxes, detections: Detections, matches: ImageMatches, confidence: float
) -> ImageJudgement:
    """Sorts the boxes of an image into right, wrong and missed.

    Args:
        image: the truth.
        detections: the detections of the image.
        matches: of the detections with the truth.
        confidence: float. Detections of a lower score do not count.
    """
    chosen = (detections.scores[matches.kept] >= confidence) & ~matches.ignored
    kept, truth = matches.kept[chosen], matches.truth[chosen]
    wrong = kept[truth < 0]
    wrong = wrong[np.argsort(-detections.scores[wrong], kind="stable")]
    missed = np.setdiff1d(np.flatnonzero(~image.crowd), truth)
    return ImageJudgement(kept[truth >= 0], truth[truth >= 0], wrong, missed)


@dataclass(frozen=True, eq=False)
class ConfidenceCurves:
    """Precision, recall and F1 of each class at each of CONFIDENCES; NaN without truth.

    Attributes:
        precision: float64 (C, 1001). 0 where nothing is found.
        recall: float64 (C, 1001).
        f1: float64 (C, 1001).
    """

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray

    @property
    def best(self) -> int:
        """Index in CONFIDENCES of the highest mean F1: the middle, where several are equal."""
        f1 = mean_of_classes(self.f1)
        first = int(np.argmax(f1))
        lower = np.flatnonzero(f1[first:] < f1[first])
        count = int(lower[0]) if len(lower) else len(f1) - first
        return first + (count - 1) // 2


def mean_of_classes(values: np.ndarray) -> np.ndarray:
    """(C, 1001) to (1001,): the mean over the classes that have truth."""
    return values[~np.isnan(values).any(axis=1)].mean(axis=0)


def truth_counts(images: Sequence[ImageBoxes], num_classes: int) -> np.ndarray:
    """int (C,). Boxes of each class, without crowd regions."""
    labels = [image.labels[~image.crowd] for image in images]
    return np.bincount(np.concatenate([*labels, np.zeros(0, int)]), minlength=num_classes)


def confidence_curves(
    images: Sequence[ImageBoxes],
    detections: Sequence[Detections],
    matches: Sequence[ImageMatches],
    num_classes: int,
) -> ConfidenceCurves:
    """Precision, recall and F1 of all images together.

    Args:
        images, detections, matches: sequences with an item for each image.
        num_classes: int.
    """
    counts = np.zeros((2, num_classes, len(CONFIDENCES)))
    scores, classes, is_right = _judged(detections, matches)
    for label in range(num_classes):
        of_class = classes == label
        for row, chosen in enumerate((of_class & is_right, of_class & ~is_right)):
            rising = np.sort(scores[chosen])
            counts[row, label] = len(rising) - np.searchsorted(rising, CONFIDENCES)
    right, wrong = counts
    total = truth_counts(images, num_classes)[:, np.newaxis]
    total = np.where(total > 0, total, np.nan)
    precision = np.where(np.isnan(total), np.nan, right / np.maximum(right + wrong, 1))
    return ConfidenceCurves(precision, right / total, 2 * right / (right + wrong + total))


def _judged(detections, matches):
    """Scores, classes and rightness of all detections that are not to be ignored."""
    kept = [match.kept[~match.ignored] for match in matches]
    truth = [match.truth[~match.ignored] for match in matches]
    scores = [found.scores[indices] for found, indices in zip(detections, kept, strict=True)]
    classes = [found.classes[indices] for found, indices in zip(detections, kept, strict=True)]
    scores, classes, truth = (np.concatenate([*part, []]) for part in (scores, classes, truth))
    return scores, classes, truth >= 0


def confusion_matrix(
    images: Sequence[ImageBoxes],
    detections: Sequence[Detections],
    judgements: Sequence[ImageJudgement],
    num_classes: int,
) -> np.ndarray:
    """Counts which class was taken for which.

    Args:
        images, detections, judgements: sequences with an item for each image.
        num_classes: int. C.

    Returns:
        int array (C + 1, C + 1); rows are true classes, columns those of detections, the last of
        each is background: missed boxes and false alarms. Right boxes are on the diagonal; a
        missed box and a false alarm of another class that overlap by IoU 0.5 are a confusion.
    """
    matrix = np.zeros((num_classes + 1, num_classes + 1), np.int64)
    for image, found, judgement in zip(images, detections, judgements, strict=True):
        labels = image.labels[judgement.found]
        np.add.at(matrix, (labels, labels), 1)
        taken_for, alarms, missed = _confusions(image, found, judgement)
        np.add.at(matrix, tuple(taken_for), 1)
        np.add.at(matrix, (num_classes, alarms), 1)
        np.add.at(matrix, (missed, num_classes), 1)
    return matrix


def _confusions(image, found, judgement):
    """((true classes, classes of detections), classes of other alarms, of other missed)."""
    missed, wrong = image.labels[judgement.missed], found.classes[judgement.wrong]
    size = image.width, image.height
    nothing = np.zeros(len(missed), bool)
    near = near_truths(
        xywh_pixels(found.boxes[judgement.wrong], *size),
        xywh_pixels(image.boxes[judgement.missed], *size),
        nothing,
    )
    taken = match(near, len(wrong), nothing, nothing, [MIN_OVERLAP])[0]
    is_taken = taken >= 0
    others = np.setdiff1d(np.arange(len(missed)), taken)
    return (missed[taken[is_taken]], wrong[is_taken]), wrong[~is_taken], missed[others]

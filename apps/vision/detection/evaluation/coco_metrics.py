"""Average precision and recall as COCO defines them.

Reference: [Lin et al., 2014](https://arxiv.org/abs/1405.0312), cocodataset.org/#detection-eval
"""

import numpy as np

from apps.vision.detection.evaluation.coco_evaluation import (
    ALL_SIZES,
    MAX_DETECTIONS,
    BoxEvaluation,
)

SIZES = ("small", "medium", "large")  # up to 32 x 32 pixels, up to 96 x 96, from there on


def coco_metrics(evaluation: BoxEvaluation) -> dict[str, float]:
    """The means that papers report, after `accumulate`.

    Returns:
        "map" (IoU 0.5 to 0.95), "map50", "map75", "map_small", "map_medium", "map_large", and
        "ar1", "ar10", "ar100", recall with this many detections per image and class. A mean
        without truth is left out.
    """
    # (IoU thresholds, recall levels, classes, sizes) and (IoU thresholds, classes, limits)
    precision = evaluation.eval["precision"][..., MAX_DETECTIONS]
    recall = evaluation.eval["recall"][:, :, ALL_SIZES]
    values = {
        "map": precision[..., ALL_SIZES],
        "map50": precision[_threshold(evaluation, 0.5), ..., ALL_SIZES],
        "map75": precision[_threshold(evaluation, 0.75), ..., ALL_SIZES],
    }
    values |= {f"map_{name}": precision[..., size] for size, name in enumerate(SIZES, start=1)}
    limits = evaluation.params.maxDets
    values |= {f"ar{limit}": recall[..., index] for index, limit in enumerate(limits)}
    means = {name: mean_of_known(value) for name, value in values.items()}
    return {name: mean for name, mean in means.items() if mean is not None}


def class_metrics(evaluation: BoxEvaluation) -> list[dict[str, float | None]]:
    """For each class "ap" (IoU 0.5 to 0.95) and "ap50"; None for a class without truth."""
    precision = evaluation.eval["precision"][..., ALL_SIZES, MAX_DETECTIONS]
    half = _threshold(evaluation, 0.5)
    return [
        {
            "ap": mean_of_known(precision[:, :, label]),
            "ap50": mean_of_known(precision[half, :, label]),
        }
        for label in range(precision.shape[2])
    ]


def precision_at_recall(evaluation: BoxEvaluation) -> tuple[np.ndarray, np.ndarray]:
    """At IoU 0.5: recall levels (R,) and the precision of each class (C, R), NaN without truth."""
    precision = evaluation.eval["precision"][..., ALL_SIZES, MAX_DETECTIONS]
    precision = precision[_threshold(evaluation, 0.5)].T
    return evaluation.params.recThrs, np.where(precision > -1, precision, np.nan)


def _threshold(evaluation, value):
    return int(np.flatnonzero(evaluation.params.iouThrs == value)[0])


def mean_of_known(values: np.ndarray) -> float | None:
    """The mean without COCOeval's -1, which stands for "no truth"; None if nothing is left."""
    known = values[values > -1]
    return float(np.mean(known)) if known.size else None

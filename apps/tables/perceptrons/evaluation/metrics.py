"""Figures of predictions: of classes and of numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn import metrics as sk

BINS = 15
DIGITS = 6


def class_metrics(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Accuracy, F1 and AUROC as means over the classes, and the calibration error.

    F1 is of the classes that have rows here, AUROC of each class against the others, where there
    are some; of two classes it is the usual one.

    Args:
        labels: int array (N,).
        probabilities: float array (N, C).
    """
    predicted = probabilities.argmax(-1)
    found = {
        "accuracy": float(np.mean(predicted == labels)),
        "f1": float(sk.f1_score(labels, predicted, labels=np.unique(labels), average="macro",
                                zero_division=0)),
    }  # fmt: skip
    areas = [
        sk.roc_auc_score(labels == label, probabilities[:, label])
        for label in np.unique(labels)
        if (labels != label).any()
    ]
    if areas:
        found["auroc"] = float(np.mean(areas))
    found["calibration_error"] = calibration_error(labels, probabilities)
    return found


def calibration_error(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """The expected calibration error: how far confidence and accuracy are apart.

    Args:
        labels: int array (N,).
        probabilities: float array (N, C).

    Reference: [Guo et al., 2017](https://arxiv.org/abs/1706.04599), equation 3, with 15 bins
    """
    confidence, right = probabilities.max(-1), probabilities.argmax(-1) == labels
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    gaps = np.bincount(bins, right - confidence, BINS)
    return float(np.abs(gaps).sum() / len(labels))


def number_metrics(targets: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    """RMSE, MAE and R2, as means over the targets.

    Args:
        targets, predictions: float arrays (N, T), in the units of the data.
    """
    found = {
        "rmse": float(sk.root_mean_squared_error(targets, predictions)),
        "mae": float(sk.mean_absolute_error(targets, predictions)),
    }
    # Of one row, or of equal ones, it is not defined.
    if (targets.std(axis=0) > 0).all():
        found["r2"] = float(sk.r2_score(targets, predictions))
    return found


def per_class(
    labels: np.ndarray, predicted: np.ndarray, names: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Precision, recall, F1 and number of rows of each class.

    Args:
        labels, predicted: int arrays (N,).
        names: of the classes.
    """
    scores = sk.precision_recall_fscore_support(
        labels, predicted, labels=range(len(names)), zero_division=0
    )
    keys = ("precision", "recall", "f1")
    return {
        name: {key: float(value) for key, value in zip(keys, values, strict=True)}
        | {"rows": int(rows)}
        for name, *values, rows in zip(names, *scores, strict=True)
    }


def per_target(
    targets: np.ndarray, predictions: np.ndarray, names: Sequence[str]
) -> dict[str, dict[str, float]]:
    """The figures of each target.

    Args:
        targets, predictions: float arrays (N, T).
        names: of the targets.
    """
    return {
        name: number_metrics(targets[:, [index]], predictions[:, [index]])
        for index, name in enumerate(names)
    }


def rounded(figures: dict[str, float]) -> dict[str, float]:
    """Figures with six significant digits: sums over threads differ in the last bits."""
    return {name: float(f"{value:.{DIGITS}g}") for name, value in figures.items()}

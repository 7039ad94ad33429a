"""The metrics of GLUE ([Wang et al., 2018](https://arxiv.org/abs/1804.07461)), by scikit-learn."""

import numpy as np
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import f1_score, matthews_corrcoef


def class_metrics(labels: np.ndarray, predicted: np.ndarray, num_classes: int) -> dict[str, float]:
    """Accuracy, F1 and Matthews' correlation.

    Args:
        labels, predicted: int (N,), N at least 1.
        num_classes: int.

    Returns:
        "accuracy"; "f1": of class 1 of two classes, as in GLUE, else the mean over all
        classes; "matthews": 0 where labels or predictions are constant.
    """
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    average = "binary" if num_classes == 2 else "macro"
    classes = None if num_classes == 2 else np.arange(num_classes)
    return {
        "accuracy": float(np.mean(labels == predicted)),
        "f1": float(f1_score(labels, predicted, labels=classes, average=average, zero_division=0)),
        "matthews": float(matthews_corrcoef(labels, predicted)),
    }


def score_metrics(scores: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Correlations of predicted numbers with the labels.

    Args:
        scores, predicted: float (N,).

    Returns:
        "pearson", "spearman": 0 where labels or predictions are constant; "pearson_spearman":
        their mean, by which GLUE ranks; "mse".
    """
    scores, predicted = np.asarray(scores, np.float64), np.asarray(predicted, np.float64)
    pearson = spearman = 0.0
    if len(scores) > 1 and np.ptp(scores) > 0 and np.ptp(predicted) > 0:
        pearson = float(pearsonr(scores, predicted).statistic)
        spearman = float(spearmanr(scores, predicted).statistic)
    return {
        "pearson": pearson,
        "spearman": spearman,
        "pearson_spearman": (pearson + spearman) / 2,
        "mse": float(np.mean((scores - predicted) ** 2)),
    }

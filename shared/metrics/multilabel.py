"""Metrics, thresholds and weights where an example has any number of labels."""

from typing import Any

import numpy as np

# The threshold of a label that nothing was chosen for.
THRESHOLD = 0.5
# A label of a lower F1 where thresholds are chosen is hardly ever predicted.
MIN_F1 = 0.1


def multi_hot(label_sets, names) -> np.ndarray:
    """Sets of labels as float32 (N, C), 1 where a label is present."""
    number = {name: index for index, name in enumerate(names)}
    targets = np.zeros((len(label_sets), len(number)), np.float32)
    for row, labels in zip(targets, label_sets, strict=True):
        row[[number[label] for label in labels]] = 1
    return targets


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Probabilities of logits, in float64."""
    return np.exp(-np.logaddexp(0, -np.asarray(logits, np.float64)))


def average_precision(targets: np.ndarray, scores: np.ndarray) -> float:
    """Area under the curve of precision against recall; NaN without a positive.

    Sum of (R_k - R_k-1) P_k over the different scores, from the highest: examples of equal score
    are taken at once.

    Args:
        targets: bool (N,).
        scores: float (N,).
    """
    if not targets.any():
        return float("nan")
    true, predicted, _ = _by_threshold(targets, scores)
    return float(np.sum(np.diff(true, prepend=0) * true / predicted) / targets.sum())


def _by_threshold(targets, scores) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(true positives, predicted positives, score) down to each different score."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last = np.flatnonzero(np.append(np.diff(ordered) != 0, True))
    return np.cumsum(targets[order])[last], last + 1, ordered[last]


def multilabel_metrics(
    targets: np.ndarray, probabilities: np.ndarray, thresholds: np.ndarray
) -> dict[str, float]:
    """The metrics of a data set.

    Args:
        targets: (N, C), 1 where a label is present.
        probabilities: float (N, C).
        thresholds: float (C,). A label is taken for present from its threshold on.

    Returns:
        "mean_average_precision" and "f1_macro": means over the labels that examples have;
        "f1_micro": of all decisions together; "exact_match": share of examples of which every
        label is right.
    """
    scores = label_scores(targets, probabilities, thresholds)
    known = [score for score in scores if score["support"]]
    found, targets = present(probabilities, thresholds), np.asarray(targets) > 0
    agreed = np.sum(found & targets)
    return {
        "mean_average_precision": _mean([score["average_precision"] for score in known]),
        "f1_macro": _mean([score["f1"] for score in known]),
        "f1_micro": _ratio(2 * agreed, found.sum() + targets.sum()),
        "exact_match": float(np.mean(np.all(found == targets, axis=1))),
    }


def label_scores(
    targets: np.ndarray, probabilities: np.ndarray, thresholds: np.ndarray
) -> list[dict[str, Any]]:
    """Precision, recall, F1, average precision and support of each label; None without examples.

    Args:
        targets, probabilities, thresholds: see `multilabel_metrics`.
    """
    found, targets = present(probabilities, thresholds), np.asarray(targets) > 0
    scores = []
    for label in range(targets.shape[1]):
        agreed = np.sum(found[:, label] & targets[:, label])
        predicted, support = found[:, label].sum(), int(targets[:, label].sum())
        values = {
            "precision": _ratio(agreed, predicted),
            "recall": _ratio(agreed, support),
            "f1": _ratio(2 * agreed, predicted + support),
            "average_precision": average_precision(targets[:, label], probabilities[:, label]),
        }
        values = values if support else dict.fromkeys(values)
        scores.append({**values, "support": support, "threshold": float(thresholds[label])})
    return scores


def present(probabilities: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Which labels are taken for present, bool (N, C)."""
    return np.asarray(probabilities) >= np.asarray(thresholds)


def best_thresholds(targets: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The threshold of each label with the highest F1, float (C,).

    It lies halfway between two neighbouring probabilities; of several equally good ones it is the
    highest. `THRESHOLD` where no example has the label. Where the best F1 is below `MIN_F1` the
    threshold is the highest probability (SCutFBR): else one example that is ranked last would make
    the label present nearly everywhere.

    Args:
        targets: (N, C), 1 where a label is present.
        probabilities: float (N, C).

    Reference: [Yang, 2001](https://doi.org/10.1145/383952.383975)
    """
    chosen = np.full(targets.shape[1], THRESHOLD)
    for label in np.flatnonzero(np.any(targets, axis=0)):
        true, predicted, score = _by_threshold(targets[:, label] > 0, probabilities[:, label])
        f1 = 2 * true / (predicted + targets[:, label].sum())
        best = int(np.argmax(f1))
        if f1[best] < MIN_F1:
            chosen[label] = score[0]
            continue
        below = score[best + 1] if best + 1 < len(score) else 0.0
        chosen[label] = (score[best] + below) / 2
    return chosen


def positive_weights(targets: np.ndarray) -> tuple[float, ...]:
    """Weights of the present labels with which they weigh as much as the absent ones, (C,)."""
    positives = np.sum(np.asarray(targets) > 0, axis=0)
    weights = np.maximum(len(targets) - positives, 1) / np.maximum(positives, 1)
    return tuple(weights.tolist())


def prior_logits(targets: np.ndarray) -> np.ndarray:
    """Biases (C,) with which an untrained network predicts the share of each label.

    Otherwise the first hundreds of steps only learn that most labels are rare.

    Reference: [Lin et al., 2017, section 3.3](https://arxiv.org/abs/1708.02002)
    """
    positives = np.sum(np.asarray(targets) > 0, axis=0)
    return np.log((positives + 1) / (len(targets) - positives + 1)).astype(np.float32)


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else 0.0


def _ratio(part, whole) -> float:
    return float(part / whole) if whole else 0.0

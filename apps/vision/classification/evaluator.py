"""Metrics of classification and the pictures that go with them."""

from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest
from sklearn import metrics as sk

from shared.engine.app import Evaluator
from shared.image.thumbnail import jpeg_bytes, thumbnail
from shared.report import plots
from shared.report.page import Page

MISTAKES_SHOWN = 48
CONFIDENCE_LEVEL = 0.95


class ClassificationEvaluator(Evaluator):
    """Top-1, top-5, macro precision, recall and F1; per class in the report.

    The macro means are over the classes that have images here. The report adds the bounds of the
    accuracy that this number of images allows (Wilson's score interval).

    Args:
        class_names: names of the classes.
        paths: files in the order of the data set, for the page of mistakes.
    """

    def __init__(self, class_names: list[str], paths: list[str]):
        self.class_names = class_names
        self.paths = paths
        self._targets: list[np.ndarray] = []
        self._probabilities: list[np.ndarray] = []

    def update(self, batch: Any, outputs: np.ndarray) -> None:
        self._targets.append(batch[1].argmax(-1))
        self._probabilities.append(softmax(outputs))

    @property
    def targets(self) -> np.ndarray:
        return np.concatenate(self._targets)

    @property
    def probabilities(self) -> np.ndarray:
        return np.concatenate(self._probabilities)

    def result(self) -> dict[str, float]:
        targets, probabilities = self.targets, self.probabilities
        predicted = probabilities.argmax(-1)
        labels = range(len(self.class_names))
        precision, recall, f1, _ = sk.precision_recall_fscore_support(
            targets, predicted, labels=np.unique(targets), average="macro", zero_division=0
        )
        result = {"accuracy": sk.accuracy_score(targets, predicted)}
        if len(self.class_names) > 5:
            result["top5"] = sk.top_k_accuracy_score(targets, probabilities, k=5, labels=labels)
        result |= {"precision": precision, "recall": recall, "f1": f1}
        return {name: float(value) for name, value in result.items()}

    def report(self, folder: Path) -> dict[str, Any]:
        """Writes the confusion matrix and the most confident mistakes; returns per class.

        Beside them "accuracy_low" and "accuracy_high", a confidence interval of 95 %, and the
        number of images.
        """
        targets, predicted = self.targets, self.probabilities.argmax(-1)
        labels = range(len(self.class_names))
        matrix = sk.confusion_matrix(targets, predicted, labels=labels)
        plots.confusion_matrix(matrix, self.class_names, folder / "plots" / "confusion.png")
        self._write_mistakes(folder / "samples" / "mistakes.html")
        scores = sk.precision_recall_fscore_support(
            targets, predicted, labels=labels, zero_division=0
        )
        per_class = {
            label: _class_scores(*values)
            for label, values in zip(self.class_names, zip(*scores, strict=True), strict=True)
        }
        low, high = accuracy_interval(np.trace(matrix), len(targets))
        interval = {"accuracy_low": low, "accuracy_high": high, "images": len(targets)}
        return {**interval, "per_class": per_class, "confusion_matrix": matrix.tolist()}

    def _write_mistakes(self, path: Path) -> None:
        targets, probabilities = self.targets, self.probabilities
        predicted, confidence = probabilities.argmax(-1), probabilities.max(-1)
        wrong = np.flatnonzero(predicted != targets)
        worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:MISTAKES_SHOWN]
        page = Page("Most confident mistakes")
        page.text(f"{len(wrong)} of {len(targets)} images are labelled wrongly.")
        page.pictures(
            [
                (
                    jpeg_bytes(thumbnail(self.paths[index])),
                    f"{self.class_names[targets[index]]} taken for "
                    f"{self.class_names[predicted[index]]} ({confidence[index]:.0%}): "
                    f"{Path(self.paths[index]).name}",
                )
                for index in worst
            ]
        )
        page.write(path)


def _class_scores(precision, recall, f1, support) -> dict[str, float | int | None]:
    """The scores of a class; None without images of it."""
    scores = {"precision": precision, "recall": recall, "f1": f1}
    known = {name: float(score) if support else None for name, score in scores.items()}
    return known | {"support": int(support)}


def accuracy_interval(right: int, count: int) -> tuple[float, float]:
    """Bounds of the accuracy at a confidence of 95 %, from `right` of `count` images.

    Reference: [Wilson, 1927](https://doi.org/10.1080/01621459.1927.10502953)
    """
    interval = binomtest(int(right), count).proportion_ci(CONFIDENCE_LEVEL, "wilson")
    return float(interval.low), float(interval.high)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of logits, (B, C) to (B, C), in float64."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)

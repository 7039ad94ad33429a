"""Metrics of examples with several labels, with a plot and a page of each label."""

import abc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shared.engine.app import Evaluator
from shared.metrics.multilabel import label_scores, multilabel_metrics, present, sigmoid
from shared.report.class_plot import class_scores_plot
from shared.report.page import Page

SCORES = ("precision", "recall", "f1", "average_precision")


class MultilabelEvaluator(Evaluator):
    """Mean average precision, micro and macro F1, and the share of examples without a mistake.

    Args:
        names: of the labels.
        thresholds: float (C,). A label is taken for present from its threshold on.
    """

    def __init__(self, names: Sequence[str], thresholds: Sequence[float]):
        self.names, self.thresholds = list(names), np.asarray(thresholds, np.float64)

    @property
    @abc.abstractmethod
    def targets(self) -> np.ndarray:
        """1 where a label is present, (N, C), in the order of the data set."""

    @property
    @abc.abstractmethod
    def logits(self) -> np.ndarray:
        """The outputs of the model, (N, C), in the same order."""

    @abc.abstractmethod
    def report_mistakes(self, folder: Path, worst: np.ndarray) -> None:
        """Writes `samples/mistakes.html` of the examples with these indices."""

    @property
    def probabilities(self) -> np.ndarray:
        return sigmoid(self.logits)

    def result(self) -> dict[str, float]:
        return multilabel_metrics(self.targets, self.probabilities, self.thresholds)

    def report(self, folder: Path) -> dict[str, Any]:
        """Writes `plots/labels.png`, `samples/labels.html` and the page of mistakes."""
        scores = label_scores(self.targets, self.probabilities, self.thresholds)
        per_class = dict(zip(self.names, scores, strict=True))
        class_scores_plot(
            self.names,
            {name: [score[name] for score in scores] for name in ("f1", "average_precision")},
            folder / "plots" / "labels.png",
        )
        page = Page("Labels")
        page.text(
            f"{len(self.targets):,} examples, {self.targets.sum() / len(self.targets):.2f} labels "
            f"an example. A label is taken for present from its threshold on."
        )
        header = ("label", "examples", "threshold", *(name.replace("_", " ") for name in SCORES))
        page.table([_row(name, score) for name, score in per_class.items()], header)
        page.write(folder / "samples" / "labels.html")
        self.report_mistakes(folder, self._worst())
        return {"examples": len(self.targets), "per_class": per_class}

    def _worst(self) -> np.ndarray:
        """Indices of the examples with a mistake: most wrong labels, then surest, first."""
        wrong = present(self.probabilities, self.thresholds) != (self.targets > 0)
        gap = np.abs(self.probabilities - self.targets).max(axis=1)
        order = np.lexsort((-gap, -wrong.sum(axis=1)))
        return order[wrong.any(axis=1)[order]]

    def label_names(self, index: int) -> tuple[str, str]:
        """(labels of an example, labels that it was given), as text."""
        found = present(self.probabilities[index], self.thresholds)
        return self._named(self.targets[index] > 0), self._named(found)

    def _named(self, chosen: np.ndarray) -> str:
        return ", ".join(self.names[label] for label in np.flatnonzero(chosen)) or "(none)"


def _row(name: str, score: dict[str, Any]) -> list[Any]:
    values = ["" if score[column] is None else f"{score[column]:.3f}" for column in SCORES]
    return [name, f"{score['support']:,}", f"{score['threshold']:.3f}", *values]

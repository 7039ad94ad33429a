"""How good predictions are, beside those of trees, and what they depend on."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import metrics as sk

from apps.tables.perceptrons.columns.schema import Schema
from apps.tables.perceptrons.evaluation import metrics, mistakes, pictures
from apps.tables.perceptrons.evaluation.explanation import Explanation
from shared.engine.app import Evaluator
from shared.report import plots

MAX_CLASSES_SHOWN = 100
# Of indices of rows to their cells, in the order of the inputs.
ReadCells = Callable[[Sequence[int]], list[list[str]]]


class TableEvaluator(Evaluator):
    """Figures of a network on some rows.

    Args:
        schema: columns and target.
        trees: figures of trees on the same rows, see `trees_metrics`.
        explanation: of the network.
        read_cells: gives the cells of rows, for the page of the largest errors.
    """

    def __init__(
        self,
        schema: Schema,
        trees: Mapping[str, float],
        explanation: Explanation,
        read_cells: ReadCells,
    ):
        self.schema, self.trees = schema, dict(trees)
        self.explanation, self.read_cells = explanation, read_cells
        self._targets: list[np.ndarray] = []
        self._predictions: list[np.ndarray] = []

    def update(self, batch: Any, outputs: Any) -> None:
        targets, target = batch[1], self.schema.target
        if not target.classes:
            targets = targets.astype(np.float64) * target.deviations + target.means
        self._targets.append(targets)
        (predictions,) = outputs.values()
        self._predictions.append(predictions.astype(np.float64))

    @property
    def targets(self) -> np.ndarray:
        """Classes int (N,), or numbers (N, T)."""
        return np.concatenate(self._targets)

    @property
    def predictions(self) -> np.ndarray:
        """Probabilities (N, C), or numbers (N, T)."""
        return np.concatenate(self._predictions)

    def result(self) -> dict[str, float]:
        measure = metrics.number_metrics
        if self.schema.target.classes:
            measure = metrics.class_metrics
        return measure(self.targets, self.predictions) | self.trees

    def report(self, folder: Path) -> dict[str, Any]:
        """Draws plots; returns the figures of each class or target, and the importances."""
        found: dict[str, Any] = {"rows": len(self.targets)}
        details = self._of_classes if self.schema.target.classes else self._of_numbers
        found |= details(folder / "plots")
        self._write_mistakes(folder / "samples" / "largest_errors.html")
        if importance := self.explanation.write(folder / "plots"):
            found["importance"] = importance
        return found

    def _write_mistakes(self, path: Path) -> None:
        targets, predictions, target = self.targets, self.predictions, self.schema.target
        if target.classes:
            worst = mistakes.worst_classes(targets, predictions)
            answers = [
                (
                    target.classes[targets[row]],
                    f"{target.classes[predictions[row].argmax()]} ({predictions[row].max():.0%})",
                )
                for row in worst
            ]
        else:
            worst = mistakes.worst_numbers(targets, predictions, target.deviations)
            answers = [
                tuple(", ".join(f"{x:.6g}" for x in each[row]) for each in (targets, predictions))
                for row in worst
            ]
        mistakes.write_mistakes(self.schema, answers, self.read_cells(worst.tolist()), path)

    def _of_classes(self, folder: Path) -> dict[str, Any]:
        names, labels, probabilities = self.schema.target.classes, self.targets, self.predictions
        predicted = probabilities.argmax(-1)
        pictures.calibration(labels, probabilities, folder / "calibration.png")
        if len(names) <= MAX_CLASSES_SHOWN:
            matrix = sk.confusion_matrix(labels, predicted, labels=range(len(names)))
            plots.confusion_matrix(matrix, names, folder / "confusion.png")
        return {"per_class": metrics.per_class(labels, predicted, names)}

    def _of_numbers(self, folder: Path) -> dict[str, Any]:
        names, targets, predictions = self.schema.target.names, self.targets, self.predictions
        pictures.residuals(targets, predictions, names, folder / "residuals.png")
        if len(names) == 1:
            return {}
        return {"per_target": metrics.per_target(targets, predictions, names)}

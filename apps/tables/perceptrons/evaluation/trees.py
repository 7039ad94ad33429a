"""Gradient-boosted trees as a measure: scikit-learn's, with its defaults, on the same rows."""

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from apps.tables.perceptrons.columns.schema import Schema
from apps.tables.perceptrons.evaluation.metrics import class_metrics, number_metrics, rounded
from apps.tables.perceptrons.rows import Rows

# A tree is grown for each class, a hundred times.
MAX_CLASSES = 50
# Of a category, as scikit-learn has it.
MAX_VALUES = 255
# Cells of a table below which one thread fits trees; several wait for each other in turns, which
# took seventeen times as long beside another process on two cores (300 rows).
MANY_CELLS = 100_000


class Trees:
    """HistGradientBoosting on encoded rows; numbers that are missing are so for it, too.

    Args:
        schema: columns and target.
        rows: training rows.
        seed: int. Of the run.
    """

    def __init__(self, schema: Schema, rows: Rows, seed: int):
        self.schema = schema
        sizes = schema.category_sizes
        mask = [False] * schema.number_slots + [size <= MAX_VALUES for size in sizes]
        kind = HistGradientBoostingRegressor
        if schema.target.classes:
            kind = HistGradientBoostingClassifier
        columns = [rows.targets] if schema.target.classes else list(rows.targets.T)
        inputs = self._inputs(rows)
        with threadpool_limits(1 if inputs.size < MANY_CELLS else None, user_api="openmp"):
            self._models = [
                kind(categorical_features=mask, random_state=seed).fit(inputs, column)
                for column in columns
            ]

    def _inputs(self, rows: Rows) -> np.ndarray:
        numbers = rows.numbers.copy()
        for slots in self.schema.slots().values():
            if len(slots.numbers) > 1:
                value, marker = slots.numbers[:2]
                if marker < self._first_cycle:
                    numbers[numbers[:, marker] > 0, value] = np.nan
        return np.concatenate([numbers, rows.categories.astype(np.float32)], axis=1)

    @property
    def _first_cycle(self) -> int:
        """The first slot behind those of values and of who is missing."""
        numeric = self.schema.numeric
        return len(numeric) + sum(column.missing > 0 for column in numeric)

    def predict(self, rows: Rows) -> np.ndarray:
        """Probabilities (N, C), or numbers (N, T)."""
        inputs = self._inputs(rows)
        if not self.schema.target.classes:
            return np.stack([model.predict(inputs) for model in self._models], axis=1)
        (model,) = self._models
        # Classes that no training row has get no column.
        probabilities = np.zeros((len(rows), len(self.schema.target.classes)))
        probabilities[:, model.classes_] = model.predict_proba(inputs)
        return probabilities


def trees_metrics(schema: Schema, training: Rows, rows: Rows, seed: int) -> dict[str, float]:
    """The figures of trees that are fitted to the training rows, on other rows.

    Args:
        schema: columns and target.
        training: rows to fit to.
        rows: rows to predict.
        seed: int. Of the run.

    Returns:
        "trees_rmse" and so on; nothing where there is one class only, or very many.
    """
    classes = len(schema.target.classes)
    if classes > MAX_CLASSES or (classes and len(np.unique(training.targets)) < 2):
        return {}
    predictions = Trees(schema, training, seed).predict(rows)
    measure = class_metrics if classes else number_metrics
    figures = rounded(measure(rows.targets, predictions))
    return {f"trees_{name}": value for name, value in figures.items()}

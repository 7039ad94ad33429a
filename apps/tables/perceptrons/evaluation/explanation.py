"""Importances and partial dependences of a trained network, with plots."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from apps.tables.perceptrons.columns.encoder import RowEncoder
from apps.tables.perceptrons.columns.schema import BOOLEAN, CATEGORY, DATE, Column, Schema
from apps.tables.perceptrons.evaluation import pictures
from apps.tables.perceptrons.evaluation.influence import partial_dependence, permutation_importance
from apps.tables.perceptrons.networks.table_network import TableNetwork
from apps.tables.perceptrons.rows import Rows
from shared.common.messages import warn
from shared.text.tables.dates import shown_date

LEAST = 1e-12
MAX_ROWS, MAX_COLUMNS, SHOWN_COLUMNS, GRID = 1000, 200, 6, 20


class Explanation:
    """Importances and partial dependences of a network on some rows.

    Args:
        network: the network.
        schema: columns and target.
        rows: rows with targets; the first thousand are used.
        folder: of the vocabulary.
        seed: int. Of the shuffles.
    """

    def __init__(
        self, network: TableNetwork, schema: Schema, rows: Rows, folder: Path, seed: int = 0
    ):
        self.schema, self.rows, self.folder, self.seed = schema, rows[:MAX_ROWS], folder, seed

        @tf.function(autograph=False, reduce_retracing=True)
        def predictions(features):
            (found,) = network.predictions(features, network(features, training=False)).values()
            return found

        self._predictions = predictions

    def predict(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """Probabilities (N, C), or numbers (N, T)."""
        return self._predictions(tf.nest.map_structure(tf.constant, dict(features))).numpy()

    def error(self, targets: np.ndarray, predictions: np.ndarray) -> float:
        """The cross-entropy of classes, or the RMSE in standard deviations of the targets."""
        if self.schema.target.classes:
            right = predictions[np.arange(len(targets)), targets]
            return float(-np.log(np.maximum(right, LEAST)).mean())
        scaled = (predictions - targets) / self.schema.target.deviations
        return float(np.sqrt(np.mean(scaled**2)))

    def write(self, folder: Path) -> dict[str, dict[str, float]]:
        """Draws plots into `folder`; returns the importance of each column."""
        if len(self.schema.inputs) > MAX_COLUMNS:
            warn(
                f"importance and partial dependence are left out: the table has over "
                f"{MAX_COLUMNS} columns"
            )
            return {}
        slots = self.schema.slots()
        found = permutation_importance(self.predict, self.error, self.rows, slots, self.seed)
        is_classifier = bool(self.schema.target.classes)
        unit = "growth of the cross-entropy" if is_classifier else (
            "growth of the RMSE, in standard deviations"
        )  # fmt: skip
        pictures.importance(found, unit, folder / "importance.png")
        columns = {column.name: column for column in self.schema.inputs}
        shown = [self._dependence(columns[name]) for name in list(found)[:SHOWN_COLUMNS]]
        outputs = self.schema.target.classes or self.schema.target.names
        if len(self.schema.target.classes) == 2:
            # The other one is the rest.
            outputs = outputs[1:]
            shown = [each._replace(means=each.means[:, 1:]) for each in shown]
        pictures.dependence(shown, outputs, folder / "partial_dependence.png")
        return found

    def _dependence(self, column: Column) -> pictures.Dependence:
        labels, cells = grid_of(column)
        empty = {each.name: tf.fill([len(cells)], "") for each in self.schema.inputs}
        encoded = RowEncoder(self.schema, self.folder)(empty | {column.name: tf.constant(cells)})
        grid = Rows(
            *(encoded[key].numpy() for key in ("numbers", "categories")), np.zeros(len(cells))
        )
        places = self.schema.slots()[column.name]
        means = partial_dependence(self.predict, self.rows, places, grid)
        return pictures.Dependence(column.name, labels, means)


def grid_of(column: Column) -> tuple[list[float] | list[str], list[str]]:
    """Values of a column to look at: how they are shown, and the cells of a file."""
    if column.kind == CATEGORY:
        values = list(column.values[: GRID // 2]) or [""]
        return values, values
    if column.kind == BOOLEAN:
        return ["false", "true"], ["false", "true"]
    numbers = np.linspace(column.low, column.high, GRID)
    if column.quantiles:
        inner = np.linspace(0.02, 0.98, GRID) * (len(column.quantiles) - 1)
        numbers = np.unique(np.interp(inner, range(len(column.quantiles)), column.quantiles))
    if column.kind == DATE:
        dates = [shown_date(days, column.date_format) for days in numbers.tolist()]
        return dates, dates
    cells = [repr(number) for number in numbers.tolist()]
    commas = [cell.replace(".", ",") for cell in cells] if column.decimal_comma else cells
    return numbers.tolist(), commas

"""Batch inference on rows of tables, in their order."""

import dataclasses
from typing import Any

import numpy as np

from apps.tables.perceptrons.columns.recognition import fault_of
from apps.tables.perceptrons.columns.schema import Schema
from shared.common.errors import KerasuiteError
from shared.common.messages import warn
from shared.engine.prediction.predictor import Predictor
from shared.text.tables.cells import clean
from shared.text.tables.table_rows import ENDINGS, TableRow, TableRows, count_rows, shown_names

DIGITS = 6


class TablePredictor(Predictor):
    """Every row of a table is an input; a row that does not fit is rejected with its reason.

    Args:
        schema: columns and target of the model.
    """

    suffixes = (*ENDINGS, ".gz")
    unit = "row"

    def __init__(self, schema: Schema):
        self.schema = schema
        self.columns = schema.inputs
        names = schema.input_names
        self.names = tuple(names)
        self.inputs = tuple(names.values())
        self.outputs = ("probabilities",) if schema.target.classes else ("prediction",)
        self._noted: set[str] = set()

    # === Rows ===

    def split(self, source):
        rows = TableRows(source, self.names)
        for row in rows:
            self._note(source.name, rows.unused)
            yield dataclasses.replace(source, line=row.line, content=row)
        if rows.damaged:
            warn(f"{source.name}: {rows.damaged:,} bytes are not UTF-8 or zero and were replaced")

    def _note(self, name: str, unused: list[str]) -> None:
        """Says once which columns of a file are not read, the target aside."""
        if name in self._noted:
            return
        self._noted.add(name)
        others = [column for column in unused if column not in self.schema.target.names]
        if others:
            warn(f"{name}: columns that the model does not read: {shown_names(others)}")

    def count(self, source):
        return count_rows(source)

    def read(self, source):
        row: TableRow = source.content
        if row.problem:
            raise KerasuiteError(row.problem)
        example = {}
        for column, key, cell in zip(self.columns, self.inputs, row.cells, strict=True):
            if cell is None and not column.missing:
                raise KerasuiteError(
                    f"no '{column.name}' in it, which all rows had in training; add it, or null"
                )
            text = clean(cell)
            if fault := fault_of(column, text):
                raise KerasuiteError(fault)
            example[key] = text
        return example

    # === Predictions ===

    def record(self, source, outputs):
        if "label" in outputs:
            probabilities = _numbers(outputs["probabilities"])
            classes = self.schema.target.classes
            return {
                "label": outputs["label"].decode(),
                "probabilities": dict(zip(classes, probabilities, strict=True)),
            }
        names = self.schema.target.names
        numbers = [float(f"{value:.{DIGITS + 1}g}") for value in outputs["prediction"].tolist()]
        if len(names) == 1:
            return {"prediction": numbers[0]}
        return {"prediction": dict(zip(names, numbers, strict=True))}

    def csv_row(self, row: dict[str, Any]) -> dict[str, Any]:
        """A column for each class or target."""
        flat = {}
        for name, value in row.items():
            if isinstance(value, dict):
                single = {"probabilities": "probability"}.get(name, name)
                flat |= {f"{single} {key}": number for key, number in value.items()}
            else:
                flat[name] = value
        return flat


def _numbers(values: np.ndarray) -> list[float]:
    return np.asarray(values, np.float64).round(DIGITS).tolist()

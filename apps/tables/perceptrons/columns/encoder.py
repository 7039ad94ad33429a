"""Cells to features in the graph: the same function for training and in the SavedModel."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from apps.tables.perceptrons.columns.scaling import Scaling
from apps.tables.perceptrons.columns.schema import (
    BOOLEAN,
    DATE,
    FIRST_VALUE,
    MISSING_PLACE,
    NUMBER,
    OTHER,
    Column,
    Schema,
    of_kind,
)
from shared.common.files import write_text
from shared.text.line_tables import number_by_line
from shared.text.tables.cells import (
    are_missing,
    cleaned,
    numbers_of,
    truths_of,
)
from shared.text.tables.dates import cycles, days_in_graph

Cells = Mapping[str, tf.Tensor]
VOCABULARY = "categories.txt"


def raw_numbers(columns: Sequence[Column], cells: Cells) -> tf.Tensor:
    """The numbers that cells stand for, in the units of the file.

    Args:
        columns: of a table; `numeric_of` them are taken.
        cells: name to string tensor (N,), as they stand in the file.

    Returns:
        float64 tensor (N, K), NaN where there is none.
    """
    numbers, truths, dates = (of_kind(columns, kind) for kind in (NUMBER, BOOLEAN, DATE))
    parts = []
    if numbers:
        commas = np.array([column.decimal_comma for column in numbers])
        parts.append(numbers_of(_stacked(numbers, cells), commas))
    if truths:
        parts.append(truths_of(_stacked(truths, cells)))
    for column in dates:
        days = days_in_graph(cleaned(cells[column.name]), column.date_format)
        parts.append(days[:, None])
    return tf.concat(parts, axis=1)


def _stacked(columns: Sequence[Column], cells: Cells) -> tf.Tensor:
    return cleaned(tf.stack([cells[column.name] for column in columns], axis=1))


class RowEncoder:
    """Cells of rows to the features that a network reads.

    A number that is missing, or none, becomes the median. A category that is rare or unseen has
    the place 0, one that is missing the place 1.

    Args:
        schema: the columns.
        folder: where `write_vocabulary` has written.

    Attributes:
        trackables: list of what a SavedModel has to hold.
    """

    def __init__(self, schema: Schema, folder: Path):
        self.schema = schema
        self.scaling = Scaling(schema.numeric)
        self.trackables = []
        if schema.categories:
            self._places = number_by_line(folder / VOCABULARY)
            self.trackables.append(self._places)

    def __call__(self, cells: Cells) -> dict[str, tf.Tensor]:
        """The features of N rows.

        Args:
            cells: name to string tensor (N,), of all columns that are not ignored.

        Returns:
            "numbers" float32 (N, S) and "categories" int32 (N, C), see `Schema.slots`.
        """
        rows = tf.shape(next(iter(cells.values())))[0]
        return {"numbers": self._numbers(cells, rows), "categories": self._categories(cells, rows)}

    def _numbers(self, cells: Cells, rows: tf.Tensor) -> tf.Tensor:
        columns = self.schema.numeric
        if not columns:
            return tf.zeros([rows, 0])
        raw = raw_numbers(self.schema.columns, cells)
        missing = tf.math.is_nan(raw)
        known = tf.where(missing, self.scaling.medians, raw)
        marked = np.flatnonzero([column.missing > 0 for column in columns])
        parts = [self.scaling(known), tf.gather(tf.cast(missing, tf.float64), marked, axis=1)]
        for index, column in enumerate(columns):
            if column.kind == DATE:
                waves = cycles(known[:, index], column.has_time)
                # Of a date that is missing nothing is known.
                parts.append(tf.where(missing[:, index, None], tf.zeros_like(waves), waves))
        features = tf.cast(tf.concat(parts, axis=1), tf.float32)
        return tf.ensure_shape(features, [None, self.schema.number_slots])

    def _categories(self, cells: Cells, rows: tf.Tensor) -> tf.Tensor:
        columns = self.schema.categories
        if not columns:
            return tf.zeros([rows, 0], tf.int32)
        values = _stacked(columns, cells)
        prefixes = tf.constant([f"{number}\t" for number in range(len(columns))])
        lines = self._places.lookup(prefixes[None, :] + values)
        counts = np.array([len(column.values) for column in columns])
        before = tf.constant(np.cumsum(counts) - counts - FIRST_VALUE, tf.int64)
        places = tf.where(lines < 0, tf.constant(OTHER, tf.int64), lines - before)
        places = tf.where(are_missing(values), tf.constant(MISSING_PLACE, tf.int64), places)
        return tf.ensure_shape(tf.cast(places, tf.int32), [None, len(columns)])


def write_vocabulary(schema: Schema, folder: Path) -> str:
    """Writes the values of all categories, a line each: number of the category, tab, value."""
    text = vocabulary_of(schema)
    write_text(folder / VOCABULARY, text)
    return text


def vocabulary_of(schema: Schema) -> str:
    """The content of the vocabulary's file."""
    return "".join(
        f"{number}\t{value}\n"
        for number, column in enumerate(schema.categories)
        for value in column.values
    )

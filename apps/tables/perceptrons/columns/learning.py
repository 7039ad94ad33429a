"""Figures of the columns of the training rows: medians, quantiles, values of categories."""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from apps.tables.perceptrons.columns.encoder import raw_numbers
from apps.tables.perceptrons.columns.schema import (
    BOOLEAN,
    CATEGORY,
    NUMERIC,
    Column,
    numeric_of,
)
from shared.text.tables.cells import MISSING

Columns = Mapping[str, np.ndarray]
# Rows that are encoded at a time.
CHUNK = 8192
MAX_VALUES = 10_000
# Quantiles of a column at most, and of all together.
MAX_QUANTILES, ALL_QUANTILES = 1000, 1_000_000


def chunks(cells: Columns, names: Sequence[str]) -> Iterator[dict[str, tf.Tensor]]:
    """The cells of some columns as string tensors, some thousand rows at a time."""
    rows = len(next(iter(cells.values())))
    for begin in range(0, rows, CHUNK):
        yield {name: tf.constant(cells[name][begin : begin + CHUNK], tf.string) for name in names}


def learn_columns(
    columns: Sequence[Column], cells: Columns, scaling: str = "quantile", min_count: int = 1
) -> tuple[Column, ...]:
    """The columns with the figures of the training rows.

    Args:
        columns: as they were recognised.
        cells: name to clean cells of the training rows.
        scaling: "quantile" or "standard".
        min_count: int. Values of a category that are rarer have no place of their own.
    """
    numeric = numeric_of(columns)
    learnt = {}
    if numeric:
        names = [column.name for column in numeric]
        raw = np.concatenate([raw_numbers(columns, part) for part in chunks(cells, names)])
        count = int(np.clip(ALL_QUANTILES // len(numeric), 10, MAX_QUANTILES))
        count = max(2, min(count, len(raw)))
        for column, numbers in zip(numeric, raw.T, strict=True):
            ranked = scaling == "quantile" and column.kind != BOOLEAN
            learnt[column.name] = _learn_numbers(column, numbers, count if ranked else 0)
    for column in columns:
        if column.kind == CATEGORY:
            learnt[column.name] = _learn_values(column, cells[column.name], min_count)
    return tuple(learnt.get(column.name, column) for column in columns)


def _learn_numbers(column: Column, numbers: np.ndarray, quantiles: int) -> Column:
    """The column with the figures of its numbers, NaN where one is missing."""
    known = numbers[~np.isnan(numbers)]
    missing = len(numbers) - len(known)
    if not len(known):
        return dataclasses.replace(column, missing=missing)
    deviation = float(known.std())
    if deviation <= 1e-12 * max(abs(known).max(), 1e-300):
        deviation, quantiles = 1.0, 0
    levels = np.linspace(0, 1, quantiles)
    return dataclasses.replace(
        column,
        missing=missing,
        low=float(known.min()),
        median=float(np.median(known)),
        high=float(known.max()),
        mean=float(known.mean()),
        deviation=deviation,
        quantiles=tuple(np.quantile(known, levels).tolist()) if quantiles else (),
    )


def _learn_values(column: Column, cells: np.ndarray, min_count: int) -> Column:
    counts = Counter(cells.tolist())
    missing = sum(counts.pop(word, 0) for word in MISSING)
    ordered = sorted(counts, key=lambda value: (-counts[value], value))
    values = [value for value in ordered if counts[value] >= min_count][:MAX_VALUES]
    rare = len(counts) - len(values)
    return dataclasses.replace(column, missing=missing, values=tuple(values), rare=rare)


def described(column: Column) -> str:
    """Facts about a column, for `check`."""
    if column.kind in NUMERIC:
        text = f"{column.kind}, {column.low:.6g} to {column.high:.6g}"
        if column.date_format:
            begin, end = (np.datetime64(0, "D") + int(d) for d in (column.low, column.high))
            text = f"date like {column.date_format}, {begin} to {end}"
        elif column.kind == BOOLEAN:
            text = f"{column.kind}, {column.mean:.1%} true"
    elif column.kind == CATEGORY:
        text = f"category, {len(column.values):,} values"
        if column.rare:
            text += f" and {column.rare:,} rare value(s) in one place"
    else:
        return f"ignored: {column.reason}"
    return text + (f", {column.missing:,} missing" if column.missing else "")

"""Batch inference: the steps after the last ones of each file, or of each series in it."""

import csv
import dataclasses
import io
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from apps.tables.forecast.schema import Schema
from apps.tables.forecast.series import Series, read_series
from shared.common.errors import KerasuiteError
from shared.common.spreadsheets import inert
from shared.engine.prediction.predictor import Predictor
from shared.text.tables.cells import MISSING
from shared.text.tables.table import Table, read_source
from shared.text.tables.table_rows import ENDINGS

DIGITS = 7


@dataclasses.dataclass(frozen=True)
class Window:
    """The last steps of a series, or why there are none.

    Attributes:
        name: of the series.
        history: float32 (L, C).
        future: float32 (H, K).
        end: int. Place on the grid of times of the first step after them.
        filled: int. Values of the history that were missing in the file.
        problem: str. Why no forecast can be made, or "".
    """

    name: str = ""
    history: np.ndarray | None = None
    future: np.ndarray | None = None
    end: int = 0
    filled: int = 0
    problem: str = ""


class ForecastPredictor(Predictor):
    """Every file is an input, or every series of a file; one that does not fit is rejected.

    A file is held in memory while its windows are cut.

    Args:
        schema: columns and windows of the model.
    """

    suffixes = (*ENDINGS, ".gz")
    unit = "forecast"

    def __init__(self, schema: Schema):
        self.schema, self.columns = schema, schema.columns
        future = ("future",) if self.columns.future else ()
        self.inputs = ("history", *future, *(("series",) if self.columns.series else ()))
        self.outputs = ("forecast", *(("quantiles",) if schema.quantiles else ()))

    # === Windows ===

    def split(self, source):
        table = read_source(source, self.columns.names)
        if not self.columns.series:
            yield dataclasses.replace(source, content=self._window("", table))
            return
        # A row that cannot be told from its cells belongs to no series.
        parts = [(place.line, Window(problem=problem)) for place, problem in table.problems]
        for rows in _rows_of_series(table.columns[self.columns.series]):
            part = _part(table, rows)
            name = part.columns[self.columns.series][0]
            parts.append((part.places[0].line, self._window(name, part)))
        for line, window in sorted(parts, key=lambda part: part[0]):
            yield dataclasses.replace(source, line=line, content=window)

    def _window(self, name: str, table: Table) -> Window:
        try:
            if self.columns.series and name in MISSING:
                raise KerasuiteError(f"the series in column '{self.columns.series}' is missing")
            return self._cut(name, table)
        except KerasuiteError as error:
            return Window(problem=str(error))

    def _cut(self, name: str, table: Table) -> Window:
        """The window of a series.

        Raises:
            KerasuiteError: if a row cannot be used, or there are too few.
        """
        schema = self.schema
        named = f"series '{name}': " if name else ""
        found = read_series(table, self.columns, schema.frequency, schema.max_gap)
        if found.table.problems:
            place, problem = found.table.problems[0]
            more = f", and {len(found.table.problems) - 1:,} more rows" * (
                len(found.table.problems) > 1
            )
            raise KerasuiteError(f"{named}line {place.line}: {problem}{more}")
        if not found.series:
            raise KerasuiteError(f"{named}no step has values of all columns")
        return self._last_steps(found.series[0], named)

    def _last_steps(self, series: Series, named: str) -> Window:
        length, horizon = self.schema.history, self.schema.horizon
        if len(series) < length:
            raise KerasuiteError(
                f"{named}has {len(series):,} steps; the model reads {length:,}, give more rows"
            )
        if (holes := int(series.holes[-length:].sum())) > 0:
            raise KerasuiteError(
                f"{named}{holes:,} of its last {length:,} steps are in gaps longer than "
                f"{self.schema.max_gap:,}; fill them in"
            )
        end = len(series)
        if self.columns.future and series.ahead < horizon:
            raise KerasuiteError(
                f"{named}after its last values only {series.ahead:,} rows have "
                f"{', '.join(self.columns.future)}; the model reads those of {horizon:,} steps"
            )
        return Window(
            series.name,
            np.float32(series.values[-length:]),
            np.float32(series.future[end : end + horizon]),
            series.start + end,
            int((~series.known[-length:]).sum()),
        )

    def count(self, source):
        # How many series it has is known when it has been read: as many as the training had.
        return len(self.schema.names)

    def read(self, source):
        window: Window = source.content
        if window.problem:
            raise KerasuiteError(window.problem)
        example = {"history": window.history}
        if self.columns.future:
            example["future"] = window.future
        if self.columns.series:
            example["series"] = window.name
        return example

    # === Forecasts ===

    def record(self, source, outputs):
        window, schema = source.content, self.schema
        places = range(window.end, window.end + schema.horizon)
        found: dict[str, Any] = {"series": window.name} if self.columns.series else {}
        if window.filled:
            found["filled_values"] = window.filled
        found["times"] = [self.columns.time.shown(schema.frequency.time(p)) for p in places]
        found["forecast"] = self._by_column(outputs["forecast"])
        if schema.quantiles:
            found["quantiles"] = {
                f"{level:g}": self._by_column(outputs["quantiles"][..., index])
                for index, level in enumerate(schema.quantiles)
            }
        return found

    def _by_column(self, values: np.ndarray) -> dict[str, list[float]]:
        return {
            name: [float(f"{value:.{DIGITS}g}") for value in column.tolist()]
            for name, column in zip(self.columns.targets, values.T, strict=True)
        }

    def csv_row(self, row: dict[str, Any]) -> dict[str, Any]:
        """A column for each target and quantile; the steps in a list."""
        flat = {key: value for key, value in row.items() if not isinstance(value, dict)}
        return flat | _series_of(row)

    def finish(self, source, rows):
        """`forecasts/` and the file's own path: a row for each step of each series."""
        made = (row for row in rows if "forecast" in row)
        first = next(made, None)
        if first is None:
            return {}
        name = source.name if source.name.lower().endswith(".csv") else f"{source.name}.csv"
        return {f"forecasts/{name}": self._lines(itertools.chain([first], made))}

    def _lines(self, rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
        series = [self.columns.series] if self.columns.series else []
        for index, row in enumerate(rows):
            values = _series_of(row)
            if not index:
                header = [*series, self.columns.time.name, *values]
                yield _line([inert(name) for name in header])
            for step, time in enumerate(row["times"]):
                name = [inert(row["series"])] if series else []
                yield _line([*name, time, *(column[step] for column in values.values())])


def _rows_of_series(names: np.ndarray) -> list[list[int]]:
    """Indices of the rows of each series, in the order of their first rows."""
    found: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        found.setdefault(name, []).append(index)
    return list(found.values())


def _part(table: Table, rows: list[int]) -> Table:
    columns = {name: cells[rows] for name, cells in table.columns.items()}
    return Table(columns, [table.places[row] for row in rows], table.held_out[rows])


def _series_of(row: dict[str, Any]) -> dict[str, list[float]]:
    """Name of a target, of a quantile with its level, to its steps."""
    found = dict(row["forecast"])
    for level, columns in row.get("quantiles", {}).items():
        found |= {f"{name} {level}": values for name, values in columns.items()}
    return found


def _line(cells: Iterable[Any]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue().encode()

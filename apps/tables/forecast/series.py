"""Rows of a table as series on a regular grid of times, with gaps filled."""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

from apps.tables.forecast.frequency import Frequency, find_frequency, parse_frequency
from apps.tables.forecast.schema import Columns
from shared.common.errors import KerasuiteError
from shared.common.names import usable_name
from shared.text.tables.cells import MISSING, number_fault, number_of
from shared.text.tables.table import Table

# A grid of this many times as many steps as rows has a wrong time somewhere.
MOST_GAPS = 100


@dataclasses.dataclass
class Series:
    """One series, from its first step with all targets to the last one with any.

    Attributes:
        name: str. "" where there is no column for it.
        start: int. Index of its first step on the grid.
        values: float64 (T, C). Targets, gaps filled.
        future: float64 (T + A, K). Columns known beforehand, also of A steps after the last.
        known: bool (T, C). Which targets stand in the file.
        holes: bool (T,). Steps of gaps that are too long to be filled.
        ahead: int. Steps after the last one whose columns known beforehand are all there.
        line: int. Row of the table that it begins at, from 0.
    """

    name: str
    start: int
    values: np.ndarray
    future: np.ndarray
    known: np.ndarray
    holes: np.ndarray
    ahead: int = 0
    line: int = 0

    def __len__(self) -> int:
        return len(self.values)

    @property
    def filled_steps(self) -> int:
        """Steps without any target in the file, in gaps that were filled."""
        return int((~self.known.any(axis=1) & ~self.holes).sum())

    @property
    def filled_values(self) -> int:
        """Single targets that were missing in steps that have others."""
        return int((~self.known & self.known.any(axis=1)[:, None]).sum())


@dataclasses.dataclass
class SeriesSet:
    """The series of some files.

    Attributes:
        series: those with a usable step, in the order of their first rows.
        frequency: the step of time.
        table: the rows that were used, and those that were left out as its problems.
        unsorted: int. Rows that stood behind later ones.
        empty: names of the series without a usable step.
    """

    series: list[Series]
    frequency: Frequency
    table: Table
    unsorted: int
    empty: tuple[str, ...]


def row_faults(table: Table, columns: Columns) -> dict[int, str]:
    """Index of each row with a cell that cannot be used, to what is wrong with it."""
    faults: dict[int, str] = {}
    _mark(faults, table.columns[columns.time.name], columns.time.fault)
    for name in columns.numbers:
        comma = name in columns.decimal_commas
        fault_of = functools.partial(_number_fault, name, comma)
        _mark(faults, table.columns[name], fault_of)
    if columns.series:
        _mark(faults, table.columns[columns.series], lambda cell: _series_fault(columns, cell))
    return faults


def _mark(faults: dict[int, str], cells: np.ndarray, fault_of) -> None:
    wrong = {cell: fault for cell in set(cells) if (fault := fault_of(cell))}
    if wrong:
        for index, cell in enumerate(cells):
            if cell in wrong:
                faults.setdefault(index, wrong[cell])


def _number_fault(name: str, decimal_comma: bool, cell: str) -> str:
    return "" if cell in MISSING else number_fault(name, cell, decimal_comma)


def _series_fault(columns: Columns, cell: str) -> str:
    if cell in MISSING:
        return f"the series in column '{columns.series}' is missing"
    try:
        usable_name(cell, columns.series)
    except KerasuiteError as error:
        return str(error)
    return ""


def numbers_in(cells: Sequence[str], decimal_comma: bool) -> np.ndarray:
    """The numbers of clean cells without faults, NaN where one is missing."""
    values = {cell: number_of(cell, decimal_comma) for cell in set(cells)}
    return np.array([np.nan if (n := values[cell]) is None else n for cell in cells], np.float64)


def read_series(table: Table, columns: Columns, frequency: Frequency | str, max_gap: int):
    """The series of a table.

    Args:
        table: rows of the files.
        columns: what they hold.
        frequency: the step of time, or what `--frequency` says of it.
        max_gap: int. Longest gap that is filled.

    Returns:
        A `SeriesSet`.

    Raises:
        KerasuiteError: if no row can be used, or the times are not those of a regular series.
    """
    table = table.without(row_faults(table, columns))
    _require_rows(table)
    times = {cell: columns.time.parse(cell) for cell in set(table.columns[columns.time.name])}
    times = np.array([times[cell] for cell in table.columns[columns.time.name]], np.int64)
    names = table.columns[columns.series] if columns.series else np.full(len(table), "", object)
    numbers = {name: index for index, name in enumerate(dict.fromkeys(names))}
    group = np.array([numbers[name] for name in names])
    order = np.lexsort((np.arange(len(times)), times, group))
    unsorted = _unsorted(times, group)
    repeated = np.zeros(len(times), bool)
    repeated[order[1:]] = (np.diff(times[order]) == 0) & (np.diff(group[order]) == 0)
    if isinstance(frequency, str):
        frequency = _frequency(frequency, columns, times[order], group[order], repeated[order])
    places, on_grid = frequency.places(times)
    faults = _time_faults(table, columns, repeated, on_grid, frequency)
    kept = order[~(repeated | ~on_grid)[order]]
    values = np.stack([numbers_in(table.columns[name], name in columns.decimal_commas)
                       for name in columns.numbers], axis=1)  # fmt: skip
    found, empty = [], []
    for name, number in numbers.items():
        rows = kept[group[kept] == number] if len(numbers) > 1 else kept
        one = _on_grid(name, places[rows], values[rows], len(columns.targets), max_gap)
        if one is None:
            empty.append(name)
        else:
            one.line = int(np.flatnonzero(group == number)[0])
            found.append(one)
    return SeriesSet(found, frequency, table.without(faults), unsorted, tuple(empty))


def _require_rows(table: Table) -> None:
    if not len(table):
        place, problem = table.problems[0]
        raise KerasuiteError(f"{place.file}: no row of it can be used; {place}: {problem}")


def _unsorted(times: np.ndarray, group: np.ndarray) -> int:
    """Rows that stand behind a later one of their series."""
    order = np.argsort(group, kind="stable")
    times, same = times[order], np.diff(group[order]) == 0
    return int((same & (np.diff(times) < 0)).sum())


def _frequency(wanted, columns: Columns, times, group, repeated) -> Frequency:
    times, group = times[~repeated], group[~repeated]
    longest = times[group == np.bincount(group).argmax()]
    if wanted != "auto":
        return parse_frequency(wanted, columns.time.format, int(longest[0]))
    if len(longest) < 2:
        raise KerasuiteError(
            f"column '{columns.time.name}': no series has two times; give longer series, or say "
            f"which column tells series apart with --series"
        )
    return find_frequency(longest, columns.time.format)


def _time_faults(table: Table, columns: Columns, repeated, on_grid, frequency) -> dict[int, str]:
    """Reasons against rows of repeated times, and of times between the steps.

    Raises:
        KerasuiteError: if these are most of all rows.
    """
    cells = table.columns[columns.time.name]
    first = f"{table.places[int(np.argmax(repeated))]}: '{cells[int(np.argmax(repeated))]}'"
    if repeated.sum() > len(table) / 2:
        raise KerasuiteError(
            f"column '{columns.time.name}': most times are there twice, first {first}; name the "
            f"column that tells series apart with --series"
        )
    if (~on_grid).sum() > len(table) / 2:
        cell = cells[int(np.argmin(on_grid))]
        raise KerasuiteError(
            f"column '{columns.time.name}': the times are not regular steps of {frequency}, as "
            f"'{cell}'; give regular ones, or say --frequency"
        )
    faults = {
        index: f"'{cells[index]}' in column '{columns.time.name}' is not on a step of {frequency}"
        for index in np.flatnonzero(~on_grid).tolist()
    }
    return faults | {
        index: f"the time '{cells[index]}' repeats that of an earlier row"
        for index in np.flatnonzero(repeated).tolist()
    }


def _on_grid(name: str, places, values, targets: int, max_gap: int) -> Series | None:
    """A series of the values at some places of the grid; None if no step has all targets.

    Args:
        name: of the series.
        places: sorted int array (N,) without repetitions.
        values: float array (N, C + K), NaN where a cell is missing.
        targets: int. C.
        max_gap: int. Longest gap that is filled.
    """
    if not len(places):
        return None
    length = int(places[-1] - places[0]) + 1
    if length > MOST_GAPS * (len(places) + MOST_GAPS):
        raise KerasuiteError(
            f"{f'series {name}: ' * bool(name)}{len(places):,} rows are spread over {length:,} "
            f"steps; is a time wrong, or --frequency too short?"
        )
    grid = np.full((length, values.shape[1]), np.nan)
    grid[places - places[0]] = values
    known = np.isfinite(grid[:, :targets])
    complete = np.logical_and.reduce(np.maximum.accumulate(known), axis=1)
    present = known.any(axis=1)
    if not complete.any():
        return None
    first, last = int(complete.argmax()), length - int(present[::-1].argmax())
    if last <= first:
        return None
    filled = forward_fill(grid[first:])
    is_ahead = np.isfinite(grid[last:, targets:]).all(axis=1)
    return Series(
        name,
        int(places[0]) + first,
        filled[: last - first, :targets],
        filled[:, targets:],
        known[first:last],
        long_gaps(known[first:last], max_gap),
        len(is_ahead) if is_ahead.all() else int(is_ahead.argmin()),
    )


def forward_fill(values: np.ndarray) -> np.ndarray:
    """Missing values (T, C) replaced by the last ones before; leading ones by the first after.

    No later value is used but for those, so that nothing of a test goes into a training.
    """
    known = np.isfinite(values)
    steps = np.arange(len(values))[:, None]
    last = np.maximum.accumulate(np.where(known, steps, -1), axis=0)
    last = np.where(last < 0, known.argmax(axis=0), last)
    return np.take_along_axis(values, last, axis=0)


def long_gaps(known: np.ndarray, max_gap: int) -> np.ndarray:
    """Steps (T,) in which a column has been missing for more than `max_gap` steps in a row.

    Args:
        known: bool (T, C).
        max_gap: int.
    """
    holes = np.zeros(len(known), bool)
    for column in known.T:
        edges = np.flatnonzero(np.diff(np.concatenate([[False], ~column, [False]])))
        for begin, end in zip(edges[::2], edges[1::2], strict=True):
            if end - begin > max_gap:
                holes[begin:end] = True
    return holes

"""The series of the files of a configuration: columns recognised, the split in time."""

import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np

from apps.tables.forecast.config import DataConfig, ForecastConfig
from apps.tables.forecast.schema import Columns
from apps.tables.forecast.series import SeriesSet, read_series
from apps.tables.forecast.times import find_time_column
from shared.common.errors import KerasuiteError
from shared.common.splits import TEST, TRAIN, VALIDATION
from shared.text.tables.cell_values import has_decimal_commas
from shared.text.tables.cells import MISSING, is_infinite, number_of
from shared.text.tables.named_columns import named_columns
from shared.text.tables.table import FILES, Table, read_tables
from shared.text.tables.table_rows import shown_names

MOST = 0.95


@dataclasses.dataclass(frozen=True)
class Survey:
    """The series of the files of a configuration.

    Attributes:
        columns: what the columns hold.
        found: the series.
        bounds: split to its first place on the grid and the one after its last.
        notes: lines for the user.
    """

    columns: Columns
    found: SeriesSet
    bounds: dict[str, tuple[int, int]]
    notes: tuple[str, ...]


def survey(config: ForecastConfig) -> Survey:
    """Reads the files of a configuration and recognises their columns.

    Raises:
        KerasuiteError: if they cannot be read, or there is nothing to predict.
    """
    options = config.data_options
    table = read_tables(FILES.training(config.data))
    columns, notes = find_columns(table, options)
    found = read_series(table, columns, options.frequency, options.max_gap)
    _require_series(found, columns)
    bounds, cut = split_bounds(found, options)
    notes += [*series_notes(found, options.max_gap), *cut]
    return Survey(columns, found, bounds, (*table.notes, *notes))


# === Columns ===


def find_columns(table: Table, options: DataConfig) -> tuple[Columns, list[str]]:
    """The columns that a configuration names or that are recognised, and lines for the user.

    Raises:
        KerasuiteError: if there is no such column, no time or nothing to predict.
    """
    names = list(table.columns)
    time, series, future, targets = (
        named_columns(f"--{option}", wanted, names) if wanted else ()
        for option, wanted in (
            ("time", options.time), ("series", options.series),
            ("future", options.future), ("target", options.target),
        )
    )  # fmt: skip
    for option, one in (("time", time), ("series", series)):
        if len(one) > 1:
            raise KerasuiteError(f"--{option} {','.join(one)}: name one column")
    _refuse_shared({"--time": time, "--series": series, "--future": future, "--target": targets})
    time_column, note = find_time_column(
        table.columns, time[0] if time else "", (*series, *future, *targets)
    )
    notes = [note] if note else []
    used = {time_column.name, *series, *future}
    faults = {name: _unfit(name, table.columns[name]) for name in names if name not in used}
    if targets:
        if bad := next((faults[name] for name in targets if faults.get(name)), ""):
            raise KerasuiteError(f"--target {','.join(targets)}: {bad}")
        if left := [name for name in names if name not in used and name not in targets]:
            notes.append(f"columns that are not used: {shown_names(left)}")
    else:
        targets = tuple(name for name, fault in faults.items() if not fault)
        notes += [f"left out: {fault}" for fault in faults.values() if fault]
    for name in future:
        if fault := _unfit(name, table.columns[name], may_be_constant=True):
            raise KerasuiteError(f"--future {','.join(future)}: {fault}")
    if not targets:
        raise KerasuiteError(
            "no column to predict is there: "
            + "; ".join([*faults.values()] or ["give columns of numbers"])
        )
    commas = tuple(n for n in (*targets, *future) if has_decimal_commas(list({*table.columns[n]})))
    if commas:
        notes.append(f"numbers with decimal commas: {shown_names(commas)}")
    name = series[0] if series else ""
    return Columns(time_column, tuple(targets), tuple(future), name, commas), notes


def _refuse_shared(named: dict[str, Sequence[str]]) -> None:
    """Raises KerasuiteError if two options name a column."""
    first: dict[str, str] = {}
    for option, names in named.items():
        for name in names:
            if name in first:
                raise KerasuiteError(f"{option} {name}: is also that of {first[name]}")
            first[name] = option


def _unfit(name: str, cells: Sequence[str], may_be_constant: bool = False) -> str:
    """Reason why a column has no series of numbers, or ""."""
    counts = Counter(cells)
    for word in MISSING & counts.keys():
        del counts[word]
    if not counts:
        return f"all values of '{name}' are missing"
    comma = has_decimal_commas(list(counts))
    words = [c for c in counts if number_of(c, comma) is None and not is_infinite(c)]
    if sum(counts[word] for word in words) > (1 - MOST) * counts.total():
        return f"'{name}' holds '{words[0][:40]}', which is no number"
    if len(counts) == 1 and not may_be_constant:
        return f"'{name}' is constant, all rows have '{next(iter(counts))}'"
    return ""


# === Series ===


def series_notes(found: SeriesSet, max_gap: int) -> list[str]:
    """Lines on what was sorted, filled or left out."""
    notes = []
    if found.unsorted:
        notes.append(f"the rows were put in order of time; {found.unsorted:,} stood behind later")
    for what, counts in (
        ("steps of time are missing", [one.filled_steps for one in found.series]),
        ("values are missing", [one.filled_values for one in found.series]),
    ):
        if any(counts):
            first = found.series[int(np.argmax(np.array(counts) > 0))].name
            named = f", first of '{first}'" if first else ""
            notes.append(f"{sum(counts):,} {what}{named}: filled with the last values before, and "
                         f"no figure counts them")  # fmt: skip
    if holes := sum(int(one.holes.sum()) for one in found.series):
        notes.append(f"{holes:,} steps are in gaps longer than --max-gap {max_gap}: no window "
                     f"reaches over them")  # fmt: skip
    if found.empty:
        notes.append(f"series without a step that has all targets, left out: "
                     f"{shown_names([repr(name) for name in found.empty], 5)}")  # fmt: skip
    return notes


def _require_series(found: SeriesSet, columns: Columns) -> None:
    if not found.series:
        raise KerasuiteError(
            f"no step of time has values of all of {shown_names(columns.targets)}; name fewer "
            f"columns with --target"
        )


def split_bounds(found: SeriesSet, options: DataConfig):
    """The places of each split, the same for all series, and lines for the user.

    Raises:
        KerasuiteError: if the split asks for more steps than there are.
    """
    first = min(one.start for one in found.series)
    total = max(one.start + len(one) for one in found.series) - first
    steps, notes = options.steps, []
    if steps is None:
        test = round(options.test_split * total)
        validation = round(options.validation_split * total)
        steps = (total - validation - test, validation, test)
    elif sum(steps) > total:
        raise KerasuiteError(
            f"--split-steps {options.split_steps}: adds up to {sum(steps):,} steps; the data have "
            f"{total:,}"
        )
    elif sum(steps) < total:
        notes.append(f"the last {total - sum(steps):,} steps of time are used for nothing, as "
                     f"--split-steps says")  # fmt: skip
    ends = (first + np.cumsum(steps)).tolist()
    begins = [first, *ends[:-1]]
    return dict(zip((TRAIN, VALIDATION, TEST), zip(begins, ends, strict=True), strict=True)), notes

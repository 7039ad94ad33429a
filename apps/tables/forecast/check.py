"""`kerasuite forecast check`: contents and problems of time series."""

import numpy as np

from apps.tables.forecast.config import ForecastConfig
from apps.tables.forecast.data import learn_schema, windows_of
from apps.tables.forecast.schema import Columns
from apps.tables.forecast.series import SeriesSet, read_series
from apps.tables.forecast.survey import Survey, find_columns, series_notes, split_bounds
from shared.common.errors import KerasuiteError
from shared.text.tables.table import FILES, read_tables
from shared.text.tables.table_rows import shown_names

SERIES_SHOWN = 20


def describe(config: ForecastConfig) -> tuple[list[str], list[str]]:
    """(contents, problems) of the series of a configuration, a line each."""
    options = config.data_options
    paths = FILES.training(config.data)
    table = read_tables(paths)
    contents = [f"{len(table):,} rows and {len(table.columns):,} columns in {len(paths)} file(s)"]
    problems = [f"{place}: {problem}" for place, problem in table.problems] + table.notes
    try:
        columns, notes = find_columns(table, options)
        problems += notes
        contents += _columns(columns)
        found = read_series(table, columns, options.frequency, options.max_gap)
        contents.append(f"frequency: {found.frequency}, season: "
                        f"{options.season or found.frequency.season} step(s)")  # fmt: skip
        rows = found.table.problems[len(table.problems) :]
        problems += [f"{place}: {problem}" for place, problem in rows]
        problems += series_notes(found, options.max_gap)
        contents += _series(found, columns)
        lines, faults = _windows(config, columns, found)
        contents += lines
        problems += faults
    except KerasuiteError as error:
        problems.append(str(error))
    return contents, problems


def _columns(columns: Columns) -> list[str]:
    lines = [f"time: {columns.time.name}, {columns.time.format}"]
    for name, names in (("targets", columns.targets), ("known beforehand", columns.future)):
        if names:
            lines.append(f"{name}: {len(names):,} ({shown_names(names)})")
    return lines + ([f"series by: {columns.series}"] if columns.series else [])


def _series(found: SeriesSet, columns: Columns) -> list[str]:
    lines = []
    for one in found.series[:SERIES_SHOWN]:
        begin, end = (
            columns.time.shown(found.frequency.time(place))
            for place in (one.start, one.start + len(one) - 1)
        )
        lines.append(f"  {f'{one.name}: ' * bool(one.name)}{len(one):,} steps from {begin} to "
                     f"{end}")  # fmt: skip
    if len(found.series) == 1:
        (one,) = found.series
        for name, values in zip(columns.targets, one.values.T, strict=True):
            lines.append(f"  {name}: {values.min():.6g} to {values.max():.6g}, mean "
                         f"{values.mean():.6g}")  # fmt: skip
    if len(found.series) > SERIES_SHOWN:
        lines.append(f"  and {len(found.series) - SERIES_SHOWN:,} more series")
    return lines


def _windows(config: ForecastConfig, columns: Columns, found: SeriesSet):
    """Lines on the windows of each split, and problems."""
    options = config.data_options
    bounds, notes = split_bounds(found, options)
    series, schema, more = learn_schema(config, Survey(columns, found, bounds, ()))
    least = options.history + options.horizon
    if short := [repr(one.name) for one in series if len(one) < least and one.name]:
        notes.append(f"series shorter than --history and --horizon together, {least:,} steps: "
                     f"{shown_names(short, 5)}")  # fmt: skip
    lines = []
    for split, windows in windows_of(series, schema, bounds).items():
        begin, end = bounds[split]
        if end == begin:
            lines.append(f"{split}: none")
            continue
        times = [columns.time.shown(found.frequency.time(place)) for place in (begin, end - 1)]
        lines.append(f"{split}: {len(windows):,} windows of {options.history} + "
                     f"{options.horizon} steps, {times[0]} to {times[1]}")  # fmt: skip
        if not len(windows):
            longest = int(np.max([len(one) for one in series]))
            notes.append(f"no {split} window: the longest series has {longest:,} steps; change "
                         f"--history, --horizon or the split")  # fmt: skip
    return lines, notes + more

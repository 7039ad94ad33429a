"""Files of rows to windows in the run folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from apps.tables.forecast.config import ForecastConfig
from apps.tables.forecast.schema import FILE, Scales, Schema, load_schema
from apps.tables.forecast.series import Series, SeriesSet, read_series
from apps.tables.forecast.survey import Survey, series_notes, survey
from apps.tables.forecast.windows import Windows, joined, origins
from shared.common.errors import KerasuiteError
from shared.common.files import write_text
from shared.common.messages import warn
from shared.common.splits import TEST, TRAIN, VALIDATION
from shared.text.tables.skipped_rows import report_skipped
from shared.text.tables.table import FILES, read_tables
from shared.text.tables.table_rows import shown_names

WINDOWS = {split: f"{split}.npz" for split in (TRAIN, VALIDATION, TEST)}
NAMES = "series.txt"


def prepare_windows(config: ForecastConfig, folder: Path) -> dict[str, Any]:
    """Reads, splits, scales and cuts into windows; writes windows and schema.

    Every file is written atomically; a preparation that was killed starts again.

    Returns:
        Artifacts: what the columns are, steps and windows.
    """
    found = survey(config)
    series, schema, notes = learn_schema(config, found)
    windows = windows_of(series, schema, found.bounds)
    require_windows(config, windows)
    schema.save(folder / FILE)
    write_text(folder / NAMES, "".join(f"{name}\n" for name in schema.names))
    for split, part in windows.items():
        part.save(folder / WINDOWS[split])
    report_skipped(found.found.table, folder, [*found.notes, *notes])
    return {
        "targets": list(schema.columns.targets),
        "time": schema.columns.time.name,
        "frequency": str(schema.frequency),
        "season": schema.season,
        "series": list(schema.names) if schema.columns.series else 1,
        "steps": sum(len(one) for one in series),
        "filled_steps": sum(one.filled_steps for one in series),
        "filled_values": sum(one.filled_values for one in series),
        "rows_left_out": len(found.found.table.problems),
        **{f"{split}_windows": len(part) for split, part in windows.items()},
    }


def learn_schema(config: ForecastConfig, found: Survey) -> tuple[list[Series], Schema, list[str]]:
    """The series that have training steps, what is learnt of them, and lines for the user.

    Raises:
        KerasuiteError: if no series has training steps.
    """
    options, frequency = config.data_options, found.found.frequency
    end = found.bounds[TRAIN][1]
    kept = [one for one in found.found.series if one.start < end]
    notes = []
    if left := [repr(one.name) for one in found.found.series if one.start >= end]:
        notes.append(f"series that begin after the training part, left out: "
                     f"{shown_names(left, 5)}")  # fmt: skip
    if not kept:
        raise KerasuiteError(
            f"{' '.join(config.data)}: no series begins within the training part; change the split"
        )
    season = options.season or frequency.season
    schema = Schema(
        found.columns, frequency, options.history, options.horizon, season, options.max_gap,
        config.loss.levels, tuple(one.name for one in kept), learn_scales(kept, end, season),
    )  # fmt: skip
    for one, deviations in zip(kept, schema.scales.deviations, strict=True):
        flat = [
            name
            for name, column in zip(
                schema.columns.targets, one.values[: end - one.start].T, strict=True
            )
            if np.ptp(column) == 0
        ]
        if flat:
            named = f"series '{one.name}': " if one.name else ""
            notes.append(f"{named}constant in the training part: {shown_names(flat, 5)}")
        assert min(deviations) > 0
    return kept, schema, notes


def learn_scales(series: Sequence[Series], end: int, season: int) -> Scales:
    """Means and deviations of the training steps alone.

    Args:
        series: the series.
        end: int. Place on the grid behind the training part.
        season: int. Steps of a season.
    """
    parts = [one.values[: end - one.start] for one in series]
    future = np.concatenate([one.future[: end - one.start] for one in series])
    return Scales(
        _rows(part.mean(axis=0) for part in parts),
        _rows(_spread(part) for part in parts),
        _rows(naive_error(one, end - one.start, season) for one in series),
        tuple(future.mean(axis=0).tolist()),
        tuple(_spread(future).tolist()),
    )


def _rows(arrays) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(array.tolist()) for array in arrays)


def _spread(values: np.ndarray) -> np.ndarray:
    """Standard deviations; 1 for what is constant."""
    return np.where(np.ptp(values, axis=0) > 0, values.std(axis=0), 1.0)


def naive_error(series: Series, end: int, season: int) -> np.ndarray:
    """Mean absolute difference of known training steps that are a season apart; 0 if unknown.

    Reference: [Hyndman and Koehler, 2006](https://doi.org/10.1016/j.ijforecast.2006.03.001)
    """
    values, known = series.values[:end], series.known[:end]
    both = known[season:] & known[:-season]
    differences = np.abs(values[season:] - values[:-season]) * both
    return differences.sum(axis=0) / np.maximum(both.sum(axis=0), 1)


def windows_of(series: Sequence[Series], schema: Schema, bounds) -> dict[str, Windows]:
    """The windows of each split of a configuration."""
    steps = joined(series, range(len(series)))
    return {
        split: Windows(steps, origins(series, schema.history, schema.horizon, bounds[split]))
        for split in bounds
    }


def require_windows(config: ForecastConfig, windows: dict[str, Windows]) -> None:
    """Raises KerasuiteError if a split that there should be has no window."""
    options = config.data_options
    least = options.history + options.horizon
    for split, flag in ((TRAIN, ""), (VALIDATION, "--validation-split"), (TEST, "--test-split")):
        wanted = options.steps[2] if options.steps else options.test_split
        if len(windows[split]) or (split == TEST and not wanted):
            continue
        longest = np.bincount(windows[split].steps.series).max()
        what = "no series is long enough: the training part needs" if split == TRAIN else (
            f"the {split} part is too short for one window; it needs"
        )  # fmt: skip
        steps = least if split == TRAIN else options.horizon
        mend = " or ".join(filter(None, ("--history", "--horizon", "" if options.steps else flag)))
        raise KerasuiteError(
            f"{' '.join(config.data)}: {what} {steps:,} steps in a row, and the longest of all "
            f"series has {longest:,} in all its parts; change {mend}"
        )


def other_windows(data: Sequence[str], folder: Path, report_folder: Path | None) -> Windows:
    """All windows of other files, in the terms of a trained run.

    Args:
        data: files and folders.
        folder: of the run.
        report_folder: where rows that are left out are listed; None: nowhere.

    Raises:
        KerasuiteError: if a file cannot be read, or has other columns or series.
    """
    schema = load_schema(folder / FILE)
    paths = [path for each in data for path in (FILES.validation([each]) or FILES.training([each]))]
    table = read_tables(paths, columns=schema.columns.names)
    found = read_series(table, schema.columns, schema.frequency, schema.max_gap)
    if report_folder is not None:
        report_skipped(found.table, report_folder, series_notes(found, schema.max_gap))
    series = _known(found, schema, data)
    everything = (min(one.start for one in series), max(one.start + len(one) for one in series))
    steps = joined(series, [schema.names.index(one.name) for one in series])
    windows = Windows(steps, origins(series, schema.history, schema.horizon, everything))
    if not len(windows):
        raise KerasuiteError(
            f"{' '.join(data)}: no series has {schema.history + schema.horizon:,} steps in a row, "
            f"as a window needs"
        )
    return windows


def _known(found: SeriesSet, schema: Schema, data: Sequence[str]) -> list[Series]:
    """The series that the run was trained on; says which others are left out."""
    known = [one for one in found.series if one.name in schema.names]
    if other := [repr(one.name) for one in found.series if one.name not in schema.names]:
        warn(f"series that the run does not know, left out: {shown_names(other, 5)}")
    if not known:
        raise KerasuiteError(
            f"{' '.join(data)}: has none of the run's series: {shown_names(schema.names, 5)}"
        )
    return known

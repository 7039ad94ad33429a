"""The errors of every window by its origin: what would have been seen as time went on."""

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from apps.tables.forecast.schema import Schema
from apps.tables.forecast.windows import Windows
from shared.common.files import atomic_path
from shared.common.spreadsheets import inert


def write_backtest(
    schema: Schema, windows: Windows, errors: Mapping[str, np.ndarray], path: Path
) -> None:
    """Writes a row for each window: series, first predicted time, mean absolute errors.

    Args:
        schema: of the run.
        windows: the windows.
        errors: way to forecast to its scaled errors, float (N,).
        path: CSV file to write.
    """
    places = windows.steps.places[windows.origins].tolist()
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["series", "from", *(f"{name}mae" for name in errors)])
        for index, (place, series) in enumerate(zip(places, windows.series.tolist(), strict=True)):
            time = schema.columns.time.shown(schema.frequency.time(place))
            figures = [f"{values[index]:.6g}" for values in errors.values()]
            writer.writerow([inert(schema.names[series]), inert(time), *figures])


def by_time(windows: Windows, errors: np.ndarray, most: int = 200):
    """Means of errors in equal parts of the time, for a curve.

    Args:
        windows: the windows.
        errors: float (N,), NaN where nothing is known.
        most: int. Parts at most.

    Returns:
        Places on the grid of times and mean errors, arrays of equal length.
    """
    places = windows.steps.places[windows.origins]
    first, last = int(places.min()), int(places.max())
    count = min(most, last - first + 1)
    parts = (places - first) * count // (last - first + 1)
    known = np.isfinite(errors)
    counts = np.bincount(parts[known], minlength=count)
    sums = np.bincount(parts[known], errors[known], count)
    filled = np.flatnonzero(counts)
    means = np.bincount(parts[known], places[known], count)[filled] / counts[filled]
    return means, sums[filled] / counts[filled]

"""Everything that a model knows of its series; it travels with the model as JSON."""

import dataclasses
from pathlib import Path

import numpy as np

from apps.tables.forecast.frequency import Frequency
from apps.tables.forecast.times import TimeColumn
from shared.common.files import read_json, write_json

FILE = "series.json"


@dataclasses.dataclass(frozen=True)
class Columns:
    """The columns that are read.

    Attributes:
        time: the column of times.
        targets: names of the columns that are predicted, in the order of the network.
        future: names of the columns that are known beforehand.
        series: name of the column that tells series apart, or "".
        decimal_commas: names of columns with numbers like 3,5.
    """

    time: TimeColumn
    targets: tuple[str, ...]
    future: tuple[str, ...] = ()
    series: str = ""
    decimal_commas: tuple[str, ...] = ()

    @property
    def numbers(self) -> tuple[str, ...]:
        """Names of the columns with numbers."""
        return self.targets + self.future

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns that are read."""
        return (self.time.name, *([self.series] if self.series else []), *self.numbers)


@dataclasses.dataclass(frozen=True)
class Scales:
    """Means and standard deviations of the training steps.

    Attributes:
        means, deviations: a row for each series, a number for each target.
        naive_errors: likewise, mean absolute difference of steps a season apart: MASE's unit.
        future_means, future_deviations: a number for each future column.
    """

    means: tuple[tuple[float, ...], ...]
    deviations: tuple[tuple[float, ...], ...]
    naive_errors: tuple[tuple[float, ...], ...]
    future_means: tuple[float, ...] = ()
    future_deviations: tuple[float, ...] = ()

    def scaled(self, values: np.ndarray, series: np.ndarray | int) -> np.ndarray:
        """Values of targets less their means, over their deviations.

        Args:
            values: float array (..., C) in the units of the data.
            series: numbers of the series, int array (...).
        """
        return (values - np.array(self.means)[series]) / np.array(self.deviations)[series]

    def unscaled(self, values: np.ndarray, series: np.ndarray | int) -> np.ndarray:
        """The reverse of `scaled`."""
        return values * np.array(self.deviations)[series] + np.array(self.means)[series]

    def scaled_future(self, values: np.ndarray) -> np.ndarray:
        """Values (..., K) of future columns less their means, over their deviations."""
        return (values - np.array(self.future_means)) / np.array(self.future_deviations)


@dataclasses.dataclass(frozen=True)
class Schema:
    """Columns, step of time, windows, series and scales.

    Attributes:
        columns: the columns that are read.
        frequency: the step of time.
        history, horizon: int. Steps that are read, and predicted.
        season: int. Steps of a season.
        max_gap: int. Longest gap that is filled.
        quantiles: levels that are predicted; none where only a forecast is made.
        names: of the series; one empty name where there is no column for them.
        scales: of the training steps.
    """

    columns: Columns
    frequency: Frequency
    history: int
    horizon: int
    season: int
    max_gap: int
    quantiles: tuple[float, ...]
    names: tuple[str, ...]
    scales: Scales

    def save(self, path: Path) -> None:
        """Writes the schema as JSON."""
        write_json(path, dataclasses.asdict(self))


def load_schema(path: Path) -> Schema:
    """Reads what `Schema.save` wrote."""
    values = _tuples(read_json(path))
    columns = values.pop("columns")
    columns["time"] = TimeColumn(**columns["time"])
    return Schema(
        columns=Columns(**columns),
        frequency=Frequency(**values.pop("frequency")),
        scales=Scales(**values.pop("scales")),
        **values,
    )


def _tuples(value):
    """Lists of JSON as tuples."""
    if isinstance(value, dict):
        return {name: _tuples(item) for name, item in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value

"""Windows of series, and batches of them."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from apps.tables.forecast.schema import Schema
from apps.tables.forecast.series import Series
from shared.common import stream
from shared.common.checksums import write_checksum
from shared.common.files import atomic_path

# Windows of a batch of an evaluation at least.
EVALUATED = 256


@dataclasses.dataclass(frozen=True)
class Steps:
    """The steps of all series, one series behind the other.

    Attributes:
        values: float64 (T, C). Targets in the units of the data, gaps filled.
        future: float64 (T, K). Columns that are known beforehand.
        known: bool (T, C). Which targets stand in the file.
        places: int64 (T,). Places on the grid of times.
        series: int32 (T,). Number of the series, a place in `Schema.names`.
        starts: int64 (T,). First step of the series that a step belongs to.
    """

    values: np.ndarray
    future: np.ndarray
    known: np.ndarray
    places: np.ndarray
    series: np.ndarray
    starts: np.ndarray

    def __len__(self) -> int:
        return len(self.values)


def joined(series: Sequence[Series], numbers: Sequence[int]) -> Steps:
    """The steps of some series.

    Args:
        series: the series.
        numbers: place of each in `Schema.names`.
    """
    lengths = np.array([len(one) for one in series])
    starts = np.cumsum(lengths) - lengths
    return Steps(
        np.concatenate([one.values for one in series]),
        np.concatenate([one.future[: len(one)] for one in series]),
        np.concatenate([one.known for one in series]),
        np.concatenate([one.start + np.arange(len(one)) for one in series]),
        np.repeat(np.array(numbers, np.int32), lengths),
        np.repeat(starts, lengths),
    )


def origins(series: Sequence[Series], history: int, horizon: int, bounds: tuple[int, int]):
    """First predicted steps of all windows of a split.

    The predicted steps are in the split, those that are read may lie before it. No window reaches
    over a gap that is too long to be filled, or has none of its predicted values in the file.

    Args:
        series: the series, in the order of `joined`.
        history, horizon: int. Steps of a window.
        bounds: places on the grid: the first of the split, and the one after its last.

    Returns:
        int64 array (N,), in the order of the series and of time.
    """
    found, start = [], 0
    for one in series:
        # What stands before a step: long gaps, and steps with a value.
        holes = np.concatenate([[0], np.cumsum(one.holes)])
        known = np.concatenate([[0], np.cumsum(one.known.any(axis=1))])
        first = max(history, bounds[0] - one.start)
        end = min(len(one), bounds[1] - one.start) - horizon + 1
        steps = np.arange(first, max(first, end))
        whole = holes[steps + horizon] == holes[steps - history]
        useful = known[steps + horizon] > known[steps]
        found.append(start + steps[whole & useful])
        start += len(one)
    return np.concatenate(found).astype(np.int64)


@dataclasses.dataclass(frozen=True)
class Windows:
    """Windows of one split.

    Attributes:
        steps: of all series.
        origins: int64 (N,). First predicted step of each.
    """

    steps: Steps
    origins: np.ndarray

    def __len__(self) -> int:
        return len(self.origins)

    @property
    def series(self) -> np.ndarray:
        """Number of the series of each window, int32 (N,)."""
        return self.steps.series[self.origins]

    def save(self, path: Path) -> None:
        """Writes the windows, and a checksum beside them."""
        fields = {f.name: getattr(self.steps, f.name) for f in dataclasses.fields(Steps)}
        with atomic_path(path) as temporary:
            np.savez(temporary, origins=self.origins, **fields)
        write_checksum(path)


def load_windows(path: Path) -> Windows:
    """Reads what `Windows.save` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        steps = Steps(**{field.name: arrays[field.name] for field in dataclasses.fields(Steps)})
        return Windows(steps, arrays["origins"])


# === Batches ===


def training_dataset(
    windows: Windows, schema: Schema, config, start_step: int, worker: tuple[int, int]
) -> tf.data.Dataset:
    """Endless batches of windows: this worker's part of each.

    Args:
        windows: of the training.
        schema: of the run.
        config: of the run.
        start_step: int. Global step of the first batch.
        worker: (index, count).
    """
    steps = stream.training_steps(len(windows), config.batch_size, config.seed, start_step, worker)
    take = _taking(windows, schema, answers=config.model.decoding == "autoregressive")
    return steps.map(lambda indices, seeds, step: take(indices)).prefetch(tf.data.AUTOTUNE)


def evaluation_dataset(
    windows: Windows, schema: Schema, config, worker: tuple[int, int]
) -> tf.data.Dataset:
    """A worker's windows once, in order.

    Args:
        windows, schema, config, worker: see `training_dataset`.
    """
    size = max(EVALUATED, config.batch_size)
    indices = stream.evaluation_examples(len(windows), size, worker).batch(size)
    return indices.map(_taking(windows, schema)).prefetch(tf.data.AUTOTUNE)


def _taking(windows: Windows, schema: Schema, answers: bool = False):
    """A function of indices to (inputs, scaled targets, weights): 0 for a value that was filled.

    Args:
        windows: the windows.
        schema: of the run.
        answers: whether the targets are inputs too, for teacher forcing.
    """
    steps = windows.steps
    values = tf.constant(schema.scales.scaled(steps.values, steps.series), tf.float32)
    known = tf.constant(steps.known, tf.float32)
    future = tf.constant(schema.scales.scaled_future(steps.future), tf.float32)
    origins = tf.constant(windows.origins)
    before = tf.range(-schema.history, 0, dtype=tf.int64)
    ahead = tf.range(schema.horizon, dtype=tf.int64)

    def take(indices):
        origin = tf.gather(origins, indices)[:, None]
        targets = tf.gather(values, origin + ahead)
        inputs = {"history": tf.gather(values, origin + before)}
        if schema.columns.future:
            inputs["future"] = tf.gather(future, origin + ahead)
        if answers:
            inputs["answers"] = targets
        return inputs, targets, tf.gather(known, origin + ahead)

    return take

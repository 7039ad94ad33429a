"""Encoded rows, and batches of them."""

import dataclasses
from pathlib import Path

import numpy as np
import tensorflow as tf

from apps.tables.perceptrons.columns.schema import Target
from apps.tables.perceptrons.config import TableConfig
from shared.common import stream
from shared.common.checksums import write_checksum
from shared.common.files import atomic_path

# Rows of a batch of an evaluation at least.
EVALUATED = 1024


@dataclasses.dataclass(frozen=True)
class Rows:
    """Encoded rows.

    Attributes:
        numbers: float32 (N, S).
        categories: int32 (N, C).
        targets: int32 (N,) classes, or float64 (N, T) numbers in the units of the file.
    """

    numbers: np.ndarray
    categories: np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def features(self) -> dict[str, np.ndarray]:
        """Inputs of the network."""
        return {"numbers": self.numbers, "categories": self.categories}

    def __getitem__(self, indices) -> "Rows":
        return Rows(self.numbers[indices], self.categories[indices], self.targets[indices])

    def save(self, path: Path) -> None:
        """Writes the rows, and a checksum beside them."""
        with atomic_path(path) as temporary:
            np.savez(temporary, **{f.name: getattr(self, f.name) for f in dataclasses.fields(self)})
        write_checksum(path)


def load_rows(path: Path) -> Rows:
    """Reads what `Rows.save` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        return Rows(**{field.name: arrays[field.name] for field in dataclasses.fields(Rows)})


# === Batches ===


def training_dataset(
    rows: Rows, target: Target, config: TableConfig, start_step: int, worker: tuple[int, int]
) -> tf.data.Dataset:
    """Endless batches of rows: this worker's part of each.

    Args:
        rows: of the training.
        target: of the model.
        config: of the run.
        start_step: int. Global step of the first batch.
        worker: (index, count).
    """
    steps = stream.training_steps(len(rows), config.batch_size, config.seed, start_step, worker)
    take = _taking(rows, target)
    return steps.map(lambda indices, seeds, step: take(indices)).prefetch(tf.data.AUTOTUNE)


def evaluation_dataset(
    rows: Rows, target: Target, config: TableConfig, worker: tuple[int, int]
) -> tf.data.Dataset:
    """A worker's rows once, in order.

    Args:
        rows, target, config, worker: see `training_dataset`.
    """
    size = max(EVALUATED, config.batch_size)
    indices = stream.evaluation_examples(len(rows), size, worker).batch(size)
    return indices.map(_taking(rows, target)).prefetch(tf.data.AUTOTUNE)


def _taking(rows: Rows, target: Target):
    """A function of indices to features and targets; numbers as the network predicts them."""
    features = tf.nest.map_structure(tf.constant, rows.features)
    targets = rows.targets
    if not target.classes:
        targets = ((targets - target.means) / target.deviations).astype(np.float32)
    targets = tf.constant(targets)
    return lambda indices: (
        {name: tf.gather(values, indices) for name, values in features.items()},
        tf.gather(targets, indices),
    )

"""The record of a training: rows per epoch, history.csv and TensorBoard."""

import csv
import io
import math
from pathlib import Path
from typing import Any

import tensorflow as tf

from shared.common.errors import KerasuiteError
from shared.common.files import write_text


class RunningMeans:
    """Weighted means of the steps of an epoch.

    Sums are Python floats added in the order of the steps, so that they can be saved in a
    checkpoint and continued to the last bit. Device values are fetched late, so that the
    device never waits for the host.
    """

    def __init__(self, sums: dict[str, list[float]] | None = None):
        self.sums = {name: list(pair) for name, pair in (sums or {}).items()}
        self._pending: list = []

    def add(self, means: dict[str, tuple[tf.Tensor, tf.Tensor]]) -> None:
        """Adds a step: name to (sum over items, number of items)."""
        self._pending.append(means)
        if len(self._pending) > 64:
            self.flush()

    def flush(self) -> None:
        """Fetches what the device has finished.

        Raises:
            KerasuiteError: if a value is NaN or infinite.
        """
        for means in self._pending:
            for name, (value, weight) in means.items():
                value, weight = float(value), float(weight)
                if not math.isfinite(value):
                    raise KerasuiteError(
                        f"{name} became {value}: training stopped and the last checkpoint is "
                        f"kept; start anew with a lower --learning-rate or with --clip-norm"
                    )
                pair = self.sums.setdefault(name, [0.0, 0.0])
                pair[0] += value
                pair[1] += weight
        self._pending.clear()

    def result(self) -> dict[str, float]:
        """The means so far, by name."""
        self.flush()
        return {name: total / max(weight, 1e-12) for name, (total, weight) in self.sums.items()}


def write_csv(rows: list[dict[str, Any]], path: Path) -> None:
    """Writes history.csv; a column that some rows lack stays empty there."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def read_csv(path: Path) -> list[dict[str, float]]:
    """The rows that `write_csv` wrote, without their empty fields."""
    with open(path, encoding="utf-8", newline="") as file:
        try:
            return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
        except (ValueError, TypeError, csv.Error) as error:
            raise KerasuiteError(f"{path}: is damaged ({error})") from None


def format_metrics(metrics: dict[str, float]) -> str:
    """One line of the most telling numbers."""
    shown = [
        (name, value)
        for name, value in metrics.items()
        if name not in ("epoch", "step")
        and not name.startswith("learning_rate")
        and isinstance(value, (int, float))
    ]
    return "  ".join(f"{name} {value:.4g}" for name, value in shown[:8])


# What `tf.summary.scalar` writes; that function imports the package tensorboard, which is only
# needed to look at the scalars.
_SCALAR = tf.compat.v1.SummaryMetadata(plugin_data={"plugin_name": "scalars"})


class TensorBoard:
    """Writes the rows of an epoch as scalars."""

    def __init__(self, folder: Path):
        self._writer = tf.summary.create_file_writer(str(folder))

    def write(self, row: dict[str, float], extra: dict[str, float]) -> None:
        """Writes a row of history.csv, and further scalars at the same step."""
        with self._writer.as_default(step=int(row["step"])):
            for name, value in {**row, **extra}.items():
                if name not in ("epoch", "step"):
                    tf.summary.write(name, tf.cast(value, tf.float32), metadata=_SCALAR)
        self._writer.flush()

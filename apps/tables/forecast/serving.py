"""The SavedModel of a forecast: windows in the units of the data, to forecasts in the same."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from apps.tables.forecast.data import NAMES
from apps.tables.forecast.networks.forecast_network import ForecastNetwork
from apps.tables.forecast.schema import FILE, Schema
from shared.engine.app import ServingModule
from shared.engine.saved_model.empty_batches import with_empty_batches
from shared.text.line_tables import number_by_line

UNKNOWN = "a series that nobody has seen ☃"


class ForecastServing(ServingModule):
    """`history` f32 [N, L, C], oldest first, to `forecast` f32 [N, H, C] in the units of the data,
    and where trained with them `quantiles` f32 [N, H, C, Q].

    Where trained with them, `future` f32 [N, H, K] has the columns that are known beforehand, and
    `series` string [N] the names of the series. A series that training has not seen is scaled by
    the mean and deviation of its history.

    Args:
        network: the network.
        schema: columns, windows and scales.
        folder: run folder, with the names of the series.
    """

    def __init__(self, network: ForecastNetwork, schema: Schema, folder: Path):
        self.network, self.schema, self.folder = network, schema, folder
        scales = schema.scales
        self.means, self.deviations = (
            tf.constant(values, tf.float32) for values in (scales.means, scales.deviations)
        )
        self.numbers = number_by_line(folder / NAMES) if schema.columns.series else None

    def predict(self, history, future=None, series=None) -> dict[str, tf.Tensor]:
        """Scales, predicts and scales back.

        Args:
            history: float32 tensor (N, L, C).
            future: float32 tensor (N, H, K), or None.
            series: string tensor (N,), or None.
        """
        mean, deviation = self._scale(history, series)
        inputs = {"history": (history - mean) / deviation}
        if future is not None:
            inputs["future"] = tf.cast(self.schema.scales.scaled_future(future), tf.float32)
        outputs = self.network(inputs, training=False)
        scaled = self.network.predictions(inputs, outputs)["scaled"]
        values = scaled * deviation[..., None] + mean[..., None]
        found = {"forecast": values[..., self.network.median]}
        return found | ({"quantiles": values} if self.schema.quantiles else {})

    def _scale(self, history, series):
        """Means and deviations (N, 1, C) of the series of each window."""
        if series is None:
            return self.means[:, None], self.deviations[:, None]
        numbers = self.numbers.lookup(series)
        own_mean, own_variance = tf.nn.moments(history, axes=[1], keepdims=True)
        own_deviation = tf.sqrt(own_variance)
        own_deviation = tf.where(own_deviation > 0, own_deviation, tf.ones_like(own_deviation))
        is_known, places = (numbers >= 0)[:, None, None], tf.maximum(numbers, 0)
        return (
            tf.where(is_known, tf.gather(self.means, places)[:, None], own_mean),
            tf.where(is_known, tf.gather(self.deviations, places)[:, None], own_deviation),
        )

    def signatures(self):
        return with_empty_batches({"serving_default": (self._specs(), self.predict)})

    def _specs(self) -> dict[str, tf.TensorSpec]:
        schema, columns = self.schema, self.schema.columns
        shapes = {"history": (schema.history, len(columns.targets))}
        if columns.future:
            shapes["future"] = (schema.horizon, len(columns.future))
        specs = {
            name: tf.TensorSpec([None, *shape], tf.float32, name=name)
            for name, shape in shapes.items()
        }
        if columns.series:
            specs["series"] = tf.TensorSpec([None], tf.string, name="series")
        return specs

    def trackables(self):
        return [self.network, *([] if self.numbers is None else [self.numbers])]

    def examples(self):
        schema, generator = self.schema, np.random.default_rng(0)
        names = [*schema.names[:2], UNKNOWN]
        means, deviations = (
            np.array([values[min(i, len(schema.names) - 1)] for i in range(3)])[:, None]
            for values in (schema.scales.means, schema.scales.deviations)
        )
        steps = generator.normal(size=(3, schema.history, means.shape[-1])).cumsum(axis=1)
        given = {"history": np.float32(means + deviations * steps / np.sqrt(schema.history))}
        if schema.columns.future:
            shape = (3, schema.horizon, len(schema.columns.future))
            scales = schema.scales
            future = generator.normal(size=shape) * scales.future_deviations + scales.future_means
            given["future"] = np.float32(future)
        if schema.columns.series:
            given["series"] = np.array([*names, UNKNOWN][:3], object)
        return {"serving_default": given}

    def extra_assets(self):
        assets = {FILE: (self.folder / FILE).read_text(encoding="utf-8")}
        if self.numbers is not None:
            assets[NAMES] = "".join(f"{name}\n" for name in self.schema.names)
        return assets

    def usage(self):
        columns, schema = self.schema.columns, self.schema
        shown = "{" + ", ".join(f'"{name}": ...' for name in self._specs()) + "}"
        lines = [
            f"`history` has {schema.history} steps of {schema.frequency}, the oldest first, of "
            f"these columns: {json.dumps(list(columns.targets), ensure_ascii=False)}."
        ]
        if columns.future:
            lines.append(
                f"`future` has the {schema.horizon} steps after them of "
                f"{json.dumps(list(columns.future), ensure_ascii=False)}."
            )
        if schema.quantiles:
            lines.append(f"`quantiles` are {', '.join(map(str, schema.quantiles))}.")
        lines.append(f'A request is of this form:\n\n```json\n{{"instances": [{shown}]}}\n```')
        return " ".join(lines[:-1]) + "\n\n" + lines[-1]

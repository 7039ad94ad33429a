"""The SavedModel of a network on a table: cells as they stand in the file, to predictions."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from apps.tables.perceptrons.columns.encoder import VOCABULARY, RowEncoder, vocabulary_of
from apps.tables.perceptrons.columns.schema import (
    BOOLEAN,
    CATEGORY,
    DATE,
    FILE,
    Column,
    Schema,
)
from apps.tables.perceptrons.networks.table_network import TableNetwork
from shared.engine.app import ServingModule
from shared.engine.saved_model.empty_batches import with_empty_batches
from shared.text.line_tables import line_by_number
from shared.text.tables.dates import shown_date

LABELS = "labels.txt"
NOTHING_KNOWN = ("", "?", "a value that nobody has seen ☃")


class TableServing(ServingModule):
    """One string [N] a column to `label` string [N] and `probabilities` f32 [N, C]; or to
    `prediction` f32 [N, T], in the units of the data.

    A cell that is empty, or that is not of its column's kind, counts as missing. Inputs are named
    as `Schema.input_names` says.

    Args:
        network: the network.
        schema: columns and target.
        folder: run folder, with the vocabulary and the labels.
    """

    def __init__(self, network: TableNetwork, schema: Schema, folder: Path):
        self.network, self.schema, self.folder = network, schema, folder
        self.encoder, self.inputs = RowEncoder(schema, folder), schema.input_names
        self.names = line_by_number(folder / LABELS) if schema.target.classes else None

    def predict(self, /, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Encodes and predicts."""
        features = self.encoder({name: inputs[key] for name, key in self.inputs.items()})
        found = self.network.predictions(features, self.network(features, training=False))
        if self.names is None:
            return found
        best = tf.argmax(found["probabilities"], axis=-1, output_type=tf.int64)
        return {"label": self.names.lookup(best), **found}

    def signatures(self):
        specs = {key: tf.TensorSpec([None], tf.string, name=key) for key in self.inputs.values()}
        return with_empty_batches({"serving_default": (specs, self.predict)})

    def trackables(self):
        labels = [] if self.names is None else [self.names]
        return [self.network, *self.encoder.trackables, *labels]

    def examples(self):
        cells = {self.inputs[c.name]: example_cells(c) for c in self.schema.inputs}
        rows = max(map(len, cells.values()))
        # Not all columns are missing in the same row.
        return {"serving_default": {
            name: np.array([values[(row + shift) % len(values)] for row in range(rows)], object)
            for shift, (name, values) in enumerate(cells.items())
        }}  # fmt: skip

    def extra_assets(self):
        assets = {
            FILE: (self.folder / FILE).read_text(encoding="utf-8"),
            VOCABULARY: vocabulary_of(self.schema),
        }
        if self.names is not None:
            assets[LABELS] = "".join(f"{name}\n" for name in self.schema.target.classes)
        return assets

    def usage(self):
        row = {self.inputs[c.name]: example_cells(c)[0] for c in self.schema.inputs}
        return (
            "Cells are texts as they stand in the file; an empty one is missing. `request.json`:"
            f"\n\n```json\n{json.dumps({'instances': [row]}, ensure_ascii=False)}\n```"
        )


def example_cells(column: Column) -> list[str]:
    """Cells of a column: usual ones first, then missing and odd ones."""
    if column.kind == CATEGORY:
        return [*column.values[:3], *NOTHING_KNOWN]
    if column.kind == BOOLEAN:
        return ["true", "false", " TRUE ", *NOTHING_KNOWN]
    if column.kind == DATE:
        days = (column.median, column.low, column.high)
        return [*(shown_date(day, column.date_format) for day in days), *NOTHING_KNOWN]
    numbers = [repr(column.median), repr(column.low), f" {column.high!r} ", "-1e30", "inf"]
    if column.decimal_comma:
        numbers = [number.replace(".", ",") for number in numbers]
    return [*numbers, *NOTHING_KNOWN]

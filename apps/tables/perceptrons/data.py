"""Files of rows to encoded rows in the run folder."""

import csv
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from apps.tables.perceptrons.columns.encoder import RowEncoder, write_vocabulary
from apps.tables.perceptrons.columns.learning import chunks, learn_columns
from apps.tables.perceptrons.columns.schema import (
    FILE,
    IGNORED,
    Schema,
    Target,
    load_schema,
)
from apps.tables.perceptrons.config import TableConfig
from apps.tables.perceptrons.rows import Rows
from apps.tables.perceptrons.survey import (
    Survey,
    earlier_schema,
    faults_of,
    hold_out,
    known_inputs,
    survey,
)
from apps.tables.perceptrons.target import Targets, known_targets, rows_without_target
from shared.common.errors import KerasuiteError
from shared.common.files import atomic_path
from shared.common.messages import warn
from shared.common.splits import TRAIN, VALIDATION
from shared.text.tables.skipped_rows import report_skipped
from shared.text.tables.table import FILES, Table, read_tables

HELD_OUT = "held_out.csv"
ROWS = {TRAIN: "train.npz", VALIDATION: "validation.npz"}


def prepare_rows(config: TableConfig, folder: Path) -> dict[str, Any]:
    """Reads, splits, learns and encodes; writes rows, schema and vocabulary.

    Every file is written atomically; a preparation that was killed starts again.

    Returns:
        Artifacts: numbers of rows, and kinds of columns.
    """
    found = survey(config)
    table, targets = found.table, found.targets
    held_out = table.held_out
    if not held_out.any():
        groups = targets.values if targets.target.classes else np.zeros(len(table), np.int32)
        held_out = hold_out(groups, config.data_options.validation_split, config.seed)
    schema = learn_schema(config, found, ~held_out)
    schema.save(folder / FILE)
    write_vocabulary(schema, folder)
    rows = encode(table, targets.values, schema, folder)
    for split, chosen in ((TRAIN, ~held_out), (VALIDATION, held_out)):
        rows[chosen].save(folder / ROWS[split])
    write_held_out(table, held_out, folder / HELD_OUT)
    report_skipped(table, folder, found.notes)
    for column in schema.columns:
        if column.kind == IGNORED:
            warn(f"column '{column.name}' is left out: {column.reason}")
    return {
        "target": list(schema.target.names),
        "class_names": list(schema.target.classes),
        "training_rows": int((~held_out).sum()),
        "validation_rows": int(held_out.sum()),
        "rows_left_out": len(table.problems),
        "columns": {column.name: column.kind for column in schema.columns},
    }


def learn_schema(config: TableConfig, found: Survey, training: np.ndarray) -> Schema:
    """The schema learnt from the training rows, or that of the run of `--init`.

    Args:
        config: the configuration.
        found: the rows.
        training: bool array (N,). Which of them are for training.
    """
    target, columns = learn_target(found.targets, training), [each.column for each in found.columns]
    earlier = earlier_schema(config)
    if earlier is None:
        options = config.data_options
        cells = {name: values[training] for name, values in found.table.columns.items()}
        return Schema(learn_columns(columns, cells, options.scaling, options.min_count), target)
    theirs = earlier.target
    if theirs.names == target.names and bool(theirs.classes) == bool(target.classes):
        # Its outputs are in its units.
        target = dataclasses.replace(target, means=theirs.means, deviations=theirs.deviations)
    return Schema(tuple(columns), target)


def learn_target(targets: Targets, training: np.ndarray) -> Target:
    """The target with the figures of the training rows, bool (N,)."""
    if targets.target.classes:
        return targets.target
    numbers = targets.values[training]
    deviations = numbers.std(axis=0)
    deviations[deviations == 0] = 1.0
    return dataclasses.replace(
        targets.target,
        means=tuple(numbers.mean(axis=0).tolist()),
        deviations=tuple(deviations.tolist()),
    )


def encode(table: Table, targets: np.ndarray, schema: Schema, folder: Path) -> Rows:
    """The rows of a table as the network reads them.

    Args:
        table: the rows.
        targets: of these rows.
        schema: what was learnt of the columns.
        folder: of the vocabulary.
    """
    encoder = RowEncoder(schema, folder)
    names = [column.name for column in schema.inputs]
    parts = [encoder(cells) for cells in chunks(table.columns, names)]
    numbers, categories = (
        np.concatenate([part[key].numpy() for part in parts]) for key in ("numbers", "categories")
    )
    return Rows(numbers, categories, targets)


def write_held_out(table: Table, held_out: np.ndarray, path: Path) -> None:
    """Writes the held-out rows as CSV, for the page of errors and for other programs.

    Args:
        table: the rows.
        held_out: bool array (N,).
        path: file to write.
    """
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.columns)
        for row in np.flatnonzero(held_out):
            writer.writerow(cells[row] for cells in table.columns.values())


def read_held_out(path: Path, names: Sequence[str], indices: Sequence[int]) -> list[list[str]]:
    """The cells of some held-out rows.

    Args:
        path: what `write_held_out` wrote.
        names: of the columns.
        indices: of the rows.
    """
    wanted, found = set(indices), {}
    with open(path, newline="", encoding="utf-8") as file:
        for index, row in enumerate(csv.DictReader(file)):
            if index in wanted:
                found[index] = [row[name] for name in names]
    return [found[index] for index in indices]


def other_rows(data: Sequence[str], folder: Path, report_folder: Path | None) -> tuple[Table, Rows]:
    """Rows of other files, as text and in the terms of a trained run.

    Args:
        data: files and folders.
        folder: of the run.
        report_folder: where rows that are left out are listed; None: nowhere.

    Raises:
        KerasuiteError: if a file cannot be read, or has other columns or classes.
    """
    schema = load_schema(folder / FILE)
    names = [*(column.name for column in schema.inputs), *schema.target.names]
    paths = [path for each in data for path in (FILES.validation([each]) or FILES.training([each]))]
    table = read_tables(paths, columns=names)
    table = table.without(rows_without_target(table, schema.target.names))
    table = table.without(faults_of(table, known_inputs(table, schema)))
    table, targets = known_targets(table, schema.target)
    if report_folder is not None:
        report_skipped(table, report_folder, table.notes)
    if not len(table):
        raise KerasuiteError(f"{' '.join(data)}: no row of it can be used")
    return table, encode(table, targets, schema, folder)

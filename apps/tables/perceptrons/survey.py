"""The usable rows of the files of a configuration: columns recognised, faults found, split."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from apps.tables.perceptrons.columns.recognition import (
    IGNORE,
    Recognised,
    fault_of,
    read_column_kinds,
    recognise,
)
from apps.tables.perceptrons.columns.schema import FILE, IGNORED, Schema, load_schema
from apps.tables.perceptrons.config import OF_CLASSES, OF_NUMBERS, TableConfig
from apps.tables.perceptrons.target import (
    Targets,
    find_targets,
    rows_without_target,
)
from shared.common.errors import KerasuiteError
from shared.text.tables.named_columns import named_columns
from shared.text.tables.table import FILES, Table, read_tables


@dataclasses.dataclass(frozen=True)
class Survey:
    """The usable rows of the files of a configuration, and what was recognised.

    Attributes:
        table: rows that have a target and fit their columns.
        targets: of these rows.
        columns: of the inputs, as they were recognised.
        notes: lines for the user.
    """

    table: Table
    targets: Targets
    columns: tuple[Recognised, ...]
    notes: tuple[str, ...]


def survey(config: TableConfig) -> Survey:
    """Reads the files of a configuration and recognises their columns.

    Raises:
        KerasuiteError: if they cannot be read, or there is nothing to learn.
    """
    options = config.data_options
    held_out = FILES.validation(config.data, options.validation)
    table = read_tables(FILES.training(config.data), held_out)
    names = named_columns("--target", options.target, list(table.columns))
    table = table.without(rows_without_target(table, names))
    table, targets = find_targets(table, names, options.task_type)
    _require_fitting_loss(config, targets)
    earlier = earlier_schema(config)
    if earlier is not None:
        _require_other_target(config, earlier, names)
        columns = known_inputs(table, earlier, config.init)
    else:
        kinds = read_column_kinds(options.columns, table.columns)
        columns = recognise_inputs(table, names, kinds)
    if all(found.column.kind == IGNORED for found in columns):
        raise KerasuiteError(
            f"{' '.join(config.data)}: no column to learn from besides the target; "
            f"{columns[0].column.name if columns else 'there is no other'}: "
            f"{columns[0].column.reason if columns else 'give more columns'}"
        )
    faults = faults_of(table, columns)
    kept = np.array([index not in faults for index in range(len(table))], bool)
    table = table.without(faults)
    targets = dataclasses.replace(targets, values=targets.values[kept])
    _require_rows(table, config)
    notes = [*table.notes, *(found.note for found in columns if found.note)]
    return Survey(table, targets, columns, tuple(notes))


def recognise_inputs(
    table: Table, targets: Sequence[str], kinds: dict[str, str]
) -> tuple[Recognised, ...]:
    """All columns but the targets, as they are recognised.

    Args:
        table: the rows.
        targets: names of the columns of the target.
        kinds: what `--columns` says.

    Raises:
        KerasuiteError: if a target is to be ignored, or dates have two formats.
    """
    for name in targets:
        if kinds.get(name) == IGNORE:
            raise KerasuiteError(f"--columns: '{name}' is the target; it cannot be ignored")
    inputs = (name for name in table.columns if name not in targets)
    return tuple(
        recognise(name, table.columns[name].tolist(), kinds.get(name, "")) for name in inputs
    )


def earlier_schema(config: TableConfig) -> Schema | None:
    """The schema of the run of `--init`; its weights mean nothing with another.

    Raises:
        KerasuiteError: if `--init` is no run of this task.
    """
    if not config.init:
        return None
    folder = Path(config.init)
    folder = folder if folder.is_dir() else folder.parent
    if not (folder / FILE).is_file():
        raise KerasuiteError(
            f"--init {config.init}: no {FILE} is there, and so no columns of its weights; give the "
            f"folder of a run of this task"
        )
    return load_schema(folder / FILE)


def _require_other_target(config: TableConfig, earlier: Schema, names: Sequence[str]) -> None:
    """Raises KerasuiteError if the run of `--init` reads what is to be predicted."""
    for column in earlier.inputs:
        if column.name in names:
            raise KerasuiteError(
                f"--init {config.init}: reads the column '{column.name}', which is the target now; "
                f"start a new run without --init"
            )


def known_inputs(table: Table, schema: Schema, source: str = "") -> tuple[Recognised, ...]:
    """The columns of a trained run, with the faults of other rows.

    Args:
        table: the rows.
        schema: of the run.
        source: the run, for the message.

    Raises:
        KerasuiteError: if the table lacks one of them.
    """
    if missing := [column.name for column in schema.inputs if column.name not in table.columns]:
        raise KerasuiteError(
            f"--init {source}: reads the column '{missing[0]}', which the table does not have; "
            f"start a new run without --init"
        )
    found = []
    for column in schema.columns:
        cells = set(table.columns[column.name]) if column.kind != IGNORED else set()
        faults = {cell: fault for cell in cells if (fault := fault_of(column, cell))}
        found.append(Recognised(column, faults))
    return tuple(found)


def faults_of(table: Table, columns: Sequence[Recognised]) -> dict[int, str]:
    """Index of each row with a cell that does not fit its column, to what is wrong with it."""
    faults: dict[int, str] = {}
    for found in columns:
        if found.faults:
            for index, cell in enumerate(table.columns[found.column.name]):
                if cell in found.faults:
                    faults.setdefault(index, found.faults[cell])
    return faults


def _require_fitting_loss(config: TableConfig, targets: Targets) -> None:
    """Raises KerasuiteError if the loss is for the other kind of target."""
    is_classifier = bool(targets.target.classes)
    if config.loss.loss in (OF_NUMBERS if is_classifier else OF_CLASSES):
        kind, losses = ("classes", OF_CLASSES) if is_classifier else ("numbers", OF_NUMBERS)
        raise KerasuiteError(
            f"--loss {config.loss.loss}: the target has {kind}; give one of {', '.join(losses)}"
        )


def _require_rows(table: Table, config: TableConfig) -> None:
    """Raises KerasuiteError if too few rows are left."""
    first = f" ({table.problems[0][0]}: {table.problems[0][1]})" if table.problems else ""
    left = f"; {len(table.problems):,} were left out{first}" if table.problems else ""
    training = int((~table.held_out).sum())
    separate = bool(table.held_out.any())
    if training < 2 - separate:
        raise KerasuiteError(
            f"{' '.join(config.data)}: {training:,} row(s) to learn from{left}; give at least two"
        )
    if config.data_options.validation and not separate:
        raise KerasuiteError(
            f"--validation {' '.join(config.data_options.validation)}: no row of it can be used"
            f"{left}"
        )


def hold_out(groups: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Which rows are held out: the same share of each group, and one row at least.

    Args:
        groups: int array (N,), N > 1.
        share: float between 0 and 1.
        seed: int. The same seed and groups give the same rows.

    Returns:
        bool array (N,).
    """
    generator = np.random.default_rng(seed)
    # Random within each group; then every row at which a whole number is passed.
    order = np.lexsort((generator.random(len(groups)), groups))
    passed = np.floor(np.arange(len(groups) + 1) * share + generator.random())
    chosen = order[np.diff(passed) > 0]
    held_out = np.zeros(len(groups), bool)
    held_out[chosen if len(chosen) else order[:1]] = True
    return held_out

"""The target: classes, or the numbers of one column or several."""

import dataclasses
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from apps.tables.perceptrons.columns.schema import Target
from shared.common.errors import KerasuiteError
from shared.common.names import usable_name
from shared.text.tables.cell_values import has_decimal_commas
from shared.text.tables.cells import MISSING, number_fault, number_of
from shared.text.tables.table import Table
from shared.text.tables.table_rows import shown_names

# Whole numbers of at most this many kinds are classes.
MAX_NUMBERED_CLASSES = 20
MAX_CLASSES = 1000
MOST = 0.95


@dataclasses.dataclass(frozen=True)
class Targets:
    """The targets of a table's rows.

    Attributes:
        target: without the figures of the training rows.
        values: int32 (N,) classes, or float64 (N, T) numbers.
    """

    target: Target
    values: np.ndarray


def rows_without_target(table: Table, names: Sequence[str]) -> dict[int, str]:
    """Index of each row that lacks a target, to a message."""
    faults = {}
    for name in names:
        cells = table.columns[name]
        if MISSING.issuperset(cells):
            raise KerasuiteError(f"--target {name}: all its values are missing; fill some in")
        for index in np.flatnonzero([cell in MISSING for cell in cells]).tolist():
            faults[index] = f"the target '{name}' is missing"
    return faults


def find_targets(table: Table, names: Sequence[str], task_type: str) -> tuple[Table, Targets]:
    """The targets of rows that all have some.

    Args:
        table: the rows.
        names: columns of the target.
        task_type: "classification", "regression" or "auto".

    Returns:
        The table without rows whose targets cannot be used, and the targets of the others.

    Raises:
        KerasuiteError: if a target is constant, or of the wrong kind.
    """
    several = len(names) > 1
    kinds = {name: _kind(name, table.columns[name], task_type, several) for name in names}
    if several and "classification" in kinds.values():
        name = next(name for name, kind in kinds.items() if kind == "classification")
        raise KerasuiteError(
            f"--target {','.join(names)}: '{name}' holds classes, and several targets have to be "
            f"numbers; train a model for each, or say --task-type regression"
        )
    if kinds[names[0]] == "classification":
        return table, _classes(names[0], table.columns[names[0]])
    comma = has_decimal_commas([cell for name in names for cell in set(table.columns[name])])
    faults = {}
    for name in names:
        wrong = {c: f for c in set(table.columns[name]) if (f := number_fault(name, c, comma))}
        faults |= {i: wrong[c] for i, c in enumerate(table.columns[name]) if c in wrong}
    table = table.without(faults)
    values = [[number_of(cell, comma) for cell in table.columns[name]] for name in names]
    numbers = np.array(values, np.float64).T
    for name, column in zip(names, numbers.T, strict=True):
        _require_several(name, np.unique(column))
    return table, Targets(Target(tuple(names), decimal_comma=comma), numbers)


def _kind(name: str, cells: Sequence[str], task_type: str, several: bool) -> str:
    """Whether a target is one of classes or of numbers.

    Args:
        name: of the target.
        cells: its cells.
        task_type: "classification", "regression" or "auto".
        several: whether it is one of several targets, which are numbers.

    Raises:
        KerasuiteError: if `task_type` says otherwise than the cells.
    """
    counts = Counter(cells)
    comma = has_decimal_commas(list(counts))
    numbers = {cell: n for cell in counts if (n := number_of(cell, comma)) is not None}
    share = sum(counts[cell] for cell in numbers) / len(cells)
    if task_type == "regression" and share < MOST:
        word = next(cell for cell in counts if cell not in numbers)
        raise KerasuiteError(
            f"--target {name}: '{word}' is no number; leave out --task-type regression"
        )
    if task_type != "auto":
        return task_type
    are_whole = all(math.isfinite(n) and n == int(n) for n in numbers.values())
    are_classes = are_whole and len(counts) <= MAX_NUMBERED_CLASSES and not several
    if share < MOST or are_classes:
        return "classification"
    return "regression"


def _classes(name: str, cells: Sequence[str]) -> Targets:
    found = set(cells)
    _require_several(name, found)
    if len(found) > MAX_CLASSES:
        raise KerasuiteError(
            f"--target {name}: has {len(found):,} different values, over {MAX_CLASSES:,}; is it "
            f"the right column?"
        )
    names = {cell: usable_name(cell, f"--target {name}") for cell in found}
    classes = _in_order(set(names.values()))
    places = {cell: classes.index(names[cell]) for cell in found}
    return Targets(
        Target((name,), tuple(classes)), np.array([places[cell] for cell in cells], np.int32)
    )


def _in_order(classes: set[str]) -> list[str]:
    """Numbers in numerical order, names in alphabetical order."""
    numbers = [number_of(name) for name in classes]
    return sorted(classes) if None in numbers else sorted(classes, key=lambda n: (number_of(n), n))


def _require_several(name: str, values: Sequence) -> None:
    if len(values) < 2:
        raise KerasuiteError(
            f"--target {name}: is constant, all rows have '{next(iter(values))}'; there is nothing "
            f"to learn"
        )


def known_targets(table: Table, target: Target) -> tuple[Table, np.ndarray]:
    """The targets of other rows, in the terms of a trained model.

    Args:
        table: rows that all have targets.
        target: of the model.

    Returns:
        The table without rows whose targets cannot be used, and the values of the others.

    Raises:
        KerasuiteError: if a class is not one of the model's.
    """
    if target.classes:
        (name,) = target.names
        places = {known: index for index, known in enumerate(target.classes)}
        for cell, place in zip(table.columns[name], table.places, strict=True):
            if cell not in places:
                raise KerasuiteError(
                    f"{place}: '{cell}' in column '{name}' is not one of the model's classes: "
                    f"{shown_names(target.classes)}"
                )
        return table, np.array([places[cell] for cell in table.columns[name]], np.int32)
    faults = {}
    for name in target.names:
        for index, cell in enumerate(table.columns[name]):
            if fault := number_fault(name, cell, target.decimal_comma):
                faults[index] = fault
    table = table.without(faults)
    values = [
        [number_of(cell, target.decimal_comma) for cell in table.columns[name]]
        for name in target.names
    ]
    return table, np.array(values, np.float64).T

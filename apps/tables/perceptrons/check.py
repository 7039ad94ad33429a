"""`kerasuite table check`: contents and problems of a table."""

from collections import Counter

import numpy as np

from apps.tables.perceptrons.columns.learning import described, learn_columns
from apps.tables.perceptrons.columns.recognition import read_column_kinds, recognise
from apps.tables.perceptrons.config import TableConfig
from apps.tables.perceptrons.survey import faults_of
from apps.tables.perceptrons.target import find_targets, rows_without_target
from shared.common.errors import KerasuiteError
from shared.text.tables.named_columns import named_columns
from shared.text.tables.table import FILES, Table, read_tables

CLASSES_SHOWN = 20


def describe(config: TableConfig) -> tuple[list[str], list[str]]:
    """(contents, problems) of the table of a configuration, a line each."""
    options = config.data_options
    paths = FILES.training(config.data)
    held_out = FILES.validation(config.data, options.validation)
    table = read_tables(paths, held_out)
    contents = [_size(table, len(paths) + len(held_out))]
    problems = [f"{place}: {problem}" for place, problem in table.problems] + table.notes
    names = named_columns("--target", options.target, list(table.columns)) if options.target else ()
    if names:
        lines, faults = _target(table, names, options.task_type)
        contents += lines
        problems += faults
    kinds = read_column_kinds(options.columns, table.columns)
    for name in table.columns:
        if name not in names:
            lines, faults = _column(table, name, kinds.get(name, ""), options)
            contents += lines
            problems += faults
    return contents, problems


def _size(table: Table, files: int) -> str:
    rows = Counter(zip(*table.columns.values(), strict=True))
    line = f"{len(table):,} rows and {len(table.columns):,} columns in {files} file(s)"
    repeated = len(table) - len(rows)
    if table.held_out.any():
        line += f", {int(table.held_out.sum()):,} rows to validate on"
    return line + (f"; {repeated:,} rows repeat an earlier one" if repeated else "")


def _target(table: Table, names, task_type: str) -> tuple[list[str], list[str]]:
    try:
        without = rows_without_target(table, names)
        before = table.without(without)
        table, targets = find_targets(before, names, task_type)
    except KerasuiteError as error:
        return [], [str(error)]
    if targets.target.classes:
        counts = np.bincount(targets.values, minlength=len(targets.target.classes))
        shown = sorted(zip(targets.target.classes, counts.tolist(), strict=True),
                       key=lambda pair: -pair[1])  # fmt: skip
        lines = [f"target {names[0]}: {len(counts):,} classes"]
        lines += [f"  {name}: {count:,} rows" for name, count in shown[:CLASSES_SHOWN]]
    else:
        lines = [
            f"target {name}: number, {column.min():.6g} to {column.max():.6g}, mean "
            f"{column.mean():.6g}"
            for name, column in zip(names, targets.values.T, strict=True)
        ]
    if without:
        lines.append(f"  {len(without):,} rows without it, which are left out")
    faults = [f"{place}: {problem}" for place, problem in table.problems[len(before.problems) :]]
    return lines, faults


def _column(table: Table, name: str, wanted: str, options) -> tuple[list[str], list[str]]:
    try:
        found = recognise(name, table.columns[name].tolist(), wanted)
    except KerasuiteError as error:
        return [], [str(error)]
    (column,) = learn_columns(
        [found.column], {name: table.columns[name]}, options.scaling, options.min_count
    )
    problems = [f"{table.places[i]}: {fault}" for i, fault in faults_of(table, [found]).items()]
    return [f"  {name}: {described(column)}"], problems + [found.note] * bool(found.note)

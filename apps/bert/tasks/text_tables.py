"""Reads tables of sentences, pairs, numbers or choices, told apart by their columns."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from apps.bert.tasks.columns import (
    NUMERIC,
    ChoiceColumns,
    Columns,
    columns_if_there,
    find_choice_columns,
    find_columns,
    known_columns,
)
from apps.bert.tasks.examples import (
    CHOICE,
    CLASSIFICATION,
    MULTILABEL,
    PAIR,
    REGRESSION,
    ChoiceExample,
    Examples,
    TextExample,
)
from apps.bert.tasks.label_columns import SeveralLabels, joined_note, several_labels
from apps.bert.tasks.tables import Table, read_table
from shared.common.errors import KerasuiteError
from shared.text.tables.cell_values import has_decimal_commas, missing_values, number_of
from shared.text.tables.label_sets import LabelCells

# A column with this share of numbers holds numbers; the other values are named.
_MOST = 0.8


def read_text_table(
    path: Path,
    named: Columns = Columns(),
    task_type: str = "auto",
    labelled: bool = True,
    label_cells: LabelCells = LabelCells(),
) -> Examples:
    """Reads a table of sentences, pairs or choices.

    Args:
        path: see `read_table`.
        named: columns that the user named. If not `labelled` they are those of a model, and other
            columns are searched for in a table that lacks them.
        task_type: "classification", "pair", "multilabel", "regression" or "choice"; "auto" infers
            it from the columns, and from the values whether labels are numbers or classes.
        labelled: bool. Whether rows without a label are left out, with a note. If not, labels are
            read where they exist.
        label_cells: how the labels of classes and pairs are written, one or several.

    Raises:
        KerasuiteError: if the file or its columns cannot be read.
    """
    table = read_table(path, known_columns(named))
    if not labelled:
        named = columns_if_there(table, named)
    choices = find_choice_columns(table) if task_type in ("auto", CHOICE) else None
    if choices and not named.text:
        return _choices(table, choices, labelled)
    columns = find_columns(table, named, *([] if labelled else ["Call it 'text'"]))
    if labelled and not columns.label:
        columns = dataclasses.replace(columns, label=_only_other_column(table, columns))
    if labelled and task_type in ("auto", CLASSIFICATION, PAIR, MULTILABEL):
        several = several_labels(table, columns, label_cells)
        if several is not None:
            return _texts(table, columns, MULTILABEL, labelled, several)
    if task_type == CHOICE or (task_type == PAIR and not columns.pair):
        needed = "a column of second texts"
        if task_type == CHOICE:
            needed = "columns like ending0, ending1"
        raise KerasuiteError(
            f"{path}: --task-type {task_type} needs {needed} (--pair-column names one of a pair); "
            f"it has: {', '.join(table.columns)}"
        )
    if task_type in ("auto", CLASSIFICATION):
        task_type = _task_type(table, columns, task_type)
    found = _texts(table, columns, task_type, labelled)
    classes = labelled and columns.label and task_type in (CLASSIFICATION, PAIR)
    note = joined_note(table, columns.label) if classes and label_cells.kind == "auto" else ""
    return dataclasses.replace(found, notes=(*found.notes, note)) if note else found


def _only_other_column(table: Table, columns: Columns) -> str:
    """The label column of a table: the only column without text, or ""."""
    others = [name for name in table.columns if name not in (columns.text, columns.pair)]
    return others[0] if len(others) == 1 else ""


def _task_type(table: Table, columns: Columns, task_type: str) -> str:
    if columns.label and task_type != CLASSIFICATION:
        values = _label_values(table, columns.label)
        missing, comma = missing_values(values), has_decimal_commas(values)
        values = [value for value in values if value not in missing]
        numbers = [n for n in (number_of(value, comma) for value in values) if n is not None]
        if numbers and len(numbers) >= _MOST * len(values):
            whole = all(number == int(number) for number in numbers)
            if columns.label.lower() in NUMERIC or not whole:
                return REGRESSION
    return PAIR if columns.pair else CLASSIFICATION


def _label_values(table: Table, column: str) -> list[str]:
    index = table.columns.index(column)
    return [(row[index] or "").strip() for _, row in table.rows]


def _texts(
    table: Table,
    columns: Columns,
    task_type: str,
    labelled: bool,
    several: SeveralLabels | None = None,
) -> Examples:
    index = {name: number for number, name in enumerate(table.columns)}
    labels = several or _Labels(table, columns.label)
    examples, problems = [], list(table.problems)
    for line, row in table.rows:
        location = f"{table.path}:{line}"
        texts = {name: row[index[name]] for name in (columns.text, columns.pair) if name}
        if problem := _problem(texts, filled=labelled):
            problems.append(f"{location}: {problem}")
            continue
        text, pair = texts[columns.text], texts.get(columns.pair)
        try:
            label = labels.of(row)
        except ValueError as error:
            problems.append(f"{location}: {error}")
            continue
        if label is None:
            if labelled:
                continue
        elif task_type == REGRESSION:
            label = number_of(label, labels.decimal_commas)
            if label is None:
                problems.append(f"{location}: '{row[index[columns.label]]}' is no number; mend it")
                continue
        examples.append(TextExample(text, pair, label, location))
    notes = labels.notes(labelled, task_type == REGRESSION)
    separator = several.separator if several else ""
    return Examples(
        task_type, examples, tuple(problems), table.notes + notes, table.file_problems, separator
    )


class _Labels:
    """The label column of a table; counts the missing ones.

    Args:
        table: the table.
        column: its name; "" for a table without labels.
    """

    def __init__(self, table: Table, column: str):
        self._path, self._index = table.path, table.columns.index(column) if column else None
        values = _label_values(table, column) if column else []
        self._missing = missing_values(values)
        self._skipped: Counter[str] = Counter()
        self.decimal_commas = has_decimal_commas(values)

    def of(self, row: Sequence[str | None]) -> str | None:
        """The label of a row, or None."""
        label = "" if self._index is None else (row[self._index] or "").strip()
        if label not in self._missing:
            return label
        self._skipped[label] += 1
        return None

    def notes(self, labelled: bool, numbers: bool) -> tuple[str, ...]:
        """Notes on rows that `labelled` data leave out, and on how `numbers` were read."""
        found = []
        if labelled and self._skipped:
            spelt = ", ".join(sorted({*self._skipped} - {"", "-"}))
            spelt = f" (written {spelt})" if spelt else ""
            found.append(
                f"{self._path}: {self._skipped.total()} rows without a label{spelt} are left out"
            )
        if numbers and self.decimal_commas:
            found.append(f"{self._path}: the numbers have decimal commas")
        return tuple(found)


def _choices(table: Table, columns: ChoiceColumns, labelled: bool) -> Examples:
    index = {name: number for number, name in enumerate(table.columns)}
    labels = _Labels(table, columns.label)
    examples, problems = [], list(table.problems)
    for line, row in table.rows:
        location = f"{table.path}:{line}"
        before = {name: row[index[name]] for name in (columns.context, columns.beginning) if name}
        endings = {name: row[index[name]] for name in columns.choices}
        if problem := _problem(before, filled=False) or _problem(endings, filled=True):
            problems.append(f"{location}: {problem}")
            continue
        context, beginning = (before.get(n, "") for n in (columns.context, columns.beginning))
        choices = tuple(f"{beginning} {ending}".strip() for ending in endings.values())
        given = labels.of(row)
        if given is None and labelled:
            continue
        label = int(given) if given and given.isascii() and given.isdigit() else None
        if given is not None and (label is None or label >= len(choices)):
            last = len(choices) - 1
            problems.append(f"{location}: label '{given}' is not one of 0 to {last}; mend it")
            continue
        examples.append(ChoiceExample(context, choices, label, location))
    notes = table.notes + labels.notes(labelled, numbers=False)
    return Examples(CHOICE, examples, tuple(problems), notes, table.file_problems)


def _problem(texts: dict[str, str | None], filled: bool) -> str:
    """The problem with the texts of a row, by column, or ""."""
    for name, text in texts.items():
        if text is None:
            return f"no '{name}' in it; add it or remove the row"
        if filled and not text.strip():
            return f"an empty '{name}'; fill it in or remove the row"
    return ""

"""Reads tables of sentences, pairs, numbers or choices, told apart by their columns."""

import dataclasses
import math
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
    PAIR,
    REGRESSION,
    ChoiceExample,
    Examples,
    TextExample,
)
from apps.bert.tasks.tables import Table, read_table
from shared.common.errors import KerasuiteError

# SNLI and MNLI: the annotators did not agree.
NO_LABEL = ("-", "")


def read_text_table(
    path: Path, named: Columns = Columns(), task_type: str = "auto", labelled: bool = True
) -> Examples:
    """Reads a table of sentences, pairs or choices.

    Args:
        path: see `read_table`.
        named: columns that the user named. If not `labelled` they are those of a model, and other
            columns are searched for in a table that lacks them.
        task_type: "classification", "pair", "regression" or "choice"; "auto" infers it from the
            columns, and from the values whether labels are numbers or classes.
        labelled: bool. Whether rows without a label are left out, with a note. If not, labels are
            read where they exist.

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
    return _texts(table, columns, task_type, labelled)


def _only_other_column(table: Table, columns: Columns) -> str:
    """The label column of a table: the only column without text, or ""."""
    others = [name for name in table.columns if name not in (columns.text, columns.pair)]
    return others[0] if len(others) == 1 else ""


def _task_type(table: Table, columns: Columns, task_type: str) -> str:
    if columns.label and task_type != CLASSIFICATION:
        index = table.columns.index(columns.label)
        values = {row[index] for _, row in table.rows} - {*NO_LABEL, None}
        numbers = [_number(value) for value in values]
        if values and None not in numbers:
            whole = all(number == int(number) for number in numbers)
            if columns.label.lower() in NUMERIC or not whole:
                return REGRESSION
    return PAIR if columns.pair else CLASSIFICATION


def _texts(table: Table, columns: Columns, task_type: str, labelled: bool) -> Examples:
    index = {name: number for number, name in enumerate(table.columns)}
    examples, problems, unlabelled = [], list(table.problems), 0
    for line, row in table.rows:
        location = f"{table.path}:{line}"
        texts = {name: row[index[name]] for name in (columns.text, columns.pair) if name}
        if problem := _problem(texts, filled=labelled):
            problems.append(f"{location}: {problem}")
            continue
        text, pair = texts[columns.text], texts.get(columns.pair)
        label = _label(row, index, columns.label)
        if label in NO_LABEL:
            label, unlabelled = None, unlabelled + 1
            if labelled:
                continue
        elif task_type == REGRESSION:
            label = _number(label)
            if label is None:
                problems.append(f"{location}: '{row[index[columns.label]]}' is no number; mend it")
                continue
        examples.append(TextExample(text, pair, label, location))
    return Examples(task_type, examples, tuple(problems), _notes(table, unlabelled, labelled))


def _choices(table: Table, columns: ChoiceColumns, labelled: bool) -> Examples:
    index = {name: number for number, name in enumerate(table.columns)}
    examples, problems, unlabelled = [], list(table.problems), 0
    for line, row in table.rows:
        location = f"{table.path}:{line}"
        before = {name: row[index[name]] for name in (columns.context, columns.beginning) if name}
        endings = {name: row[index[name]] for name in columns.choices}
        if problem := _problem(before, filled=False) or _problem(endings, filled=True):
            problems.append(f"{location}: {problem}")
            continue
        context, beginning = (before.get(n, "") for n in (columns.context, columns.beginning))
        choices = tuple(f"{beginning} {ending}".strip() for ending in endings.values())
        given = _label(row, index, columns.label)
        label = int(given) if given.isascii() and given.isdigit() else None
        if given in NO_LABEL:
            unlabelled += 1
            if labelled:
                continue
        elif label is None or label >= len(choices):
            last = len(choices) - 1
            problems.append(f"{location}: label '{given}' is not one of 0 to {last}; mend it")
            continue
        examples.append(ChoiceExample(context, choices, label, location))
    return Examples(CHOICE, examples, tuple(problems), _notes(table, unlabelled, labelled))


def _problem(texts: dict[str, str | None], filled: bool) -> str:
    """The problem with the texts of a row, by column, or ""."""
    for name, text in texts.items():
        if text is None:
            return f"no '{name}' in it; add it or remove the row"
        if filled and not text.strip():
            return f"an empty '{name}'; fill it in or remove the row"
    return ""


def _label(row: tuple[str | None, ...], index: dict[str, int], column: str) -> str:
    """The value of the label column, "" if there is none."""
    return ((row[index[column]] or "") if column else "").strip()


def _notes(table: Table, unlabelled: int, labelled: bool) -> tuple[str, ...]:
    if not (labelled and unlabelled):
        return ()
    return (f"{table.path}: {unlabelled} rows without a label are left out",)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None

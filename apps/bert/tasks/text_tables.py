"""Tables to examples: sentences, pairs, numbers, choices. What they are is told by the columns."""

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
    path: Path, named: Columns = Columns(), kind: str = "auto", labelled: bool = True
) -> Examples:
    """Reads a table of sentences, pairs or choices.

    Args:
        path: see `read_table`.
        named: columns that the user named. Without labels they are a model's, and are looked for
            in a table that lacks them.
        kind: "classification", "pair", "regression" or "choice"; "auto" tells it from the
            columns, and numbers from classes by their values.
        labelled: bool. Whether rows without a label are left out, with a note. If not, labels are
            read where there are any.

    Raises:
        KerasuiteError: if the file or its columns cannot be read.
    """
    table = read_table(path, known_columns(named))
    if not labelled:
        named = columns_if_there(table, named)
    choices = find_choice_columns(table) if kind in ("auto", CHOICE) else None
    if choices and not named.text:
        return _choices(table, choices, labelled)
    columns = find_columns(table, named, *([] if labelled else ["Call it 'text'"]))
    if labelled and not columns.label:
        columns = dataclasses.replace(columns, label=_the_only_other(table, columns))
    if kind == CHOICE or (kind == PAIR and not columns.pair):
        what = "columns like ending0, ending1" if kind == CHOICE else "a column of second texts"
        raise KerasuiteError(
            f"{path}: --kind {kind} needs {what} (--pair-column names one of a pair); it has: "
            f"{', '.join(table.columns)}"
        )
    if kind in ("auto", CLASSIFICATION):
        kind = _kind(table, columns, kind)
    return _texts(table, columns, kind, labelled)


def _the_only_other(table: Table, columns: Columns) -> str:
    """Of two or three columns the one that holds no text; else there is no label."""
    others = [name for name in table.columns if name not in (columns.text, columns.pair)]
    return others[0] if len(others) == 1 else ""


def _kind(table: Table, columns: Columns, kind: str) -> str:
    if columns.label and kind != CLASSIFICATION:
        place = table.columns.index(columns.label)
        values = {row[place] for _, row in table.rows} - {*NO_LABEL, None}
        numbers = [_number(value) for value in values]
        if values and None not in numbers:
            whole = all(number == int(number) for number in numbers)
            if columns.label.lower() in NUMERIC or not whole:
                return REGRESSION
    return PAIR if columns.pair else CLASSIFICATION


def _texts(table: Table, columns: Columns, kind: str, labelled: bool) -> Examples:
    place = {name: number for number, name in enumerate(table.columns)}
    examples, problems, unlabelled = [], list(table.problems), 0
    for line, row in table.rows:
        where = f"{table.path}:{line}"
        texts = {name: row[place[name]] for name in (columns.text, columns.pair) if name}
        if wrong := _wrong(texts, filled=labelled):
            problems.append(f"{where}: {wrong}")
            continue
        text, pair = texts[columns.text], texts.get(columns.pair)
        label = _label(row, place, columns.label)
        if label in NO_LABEL:
            label, unlabelled = None, unlabelled + 1
            if labelled:
                continue
        elif kind == REGRESSION:
            label = _number(label)
            if label is None:
                problems.append(f"{where}: '{row[place[columns.label]]}' is no number; mend it")
                continue
        examples.append(TextExample(text, pair, label, where))
    return Examples(kind, examples, tuple(problems), _notes(table, unlabelled, labelled))


def _choices(table: Table, columns: ChoiceColumns, labelled: bool) -> Examples:
    place = {name: number for number, name in enumerate(table.columns)}
    examples, problems, unlabelled = [], list(table.problems), 0
    for line, row in table.rows:
        where = f"{table.path}:{line}"
        before = {name: row[place[name]] for name in (columns.context, columns.beginning) if name}
        endings = {name: row[place[name]] for name in columns.choices}
        if wrong := _wrong(before, filled=False) or _wrong(endings, filled=True):
            problems.append(f"{where}: {wrong}")
            continue
        context, beginning = (before.get(n, "") for n in (columns.context, columns.beginning))
        choices = tuple(f"{beginning} {ending}".strip() for ending in endings.values())
        given = _label(row, place, columns.label)
        label = int(given) if given.isascii() and given.isdigit() else None
        if given in NO_LABEL:
            unlabelled += 1
            if labelled:
                continue
        elif label is None or label >= len(choices):
            last = len(choices) - 1
            problems.append(f"{where}: label '{given}' is none of 0 to {last}; mend it")
            continue
        examples.append(ChoiceExample(context, choices, label, where))
    return Examples(CHOICE, examples, tuple(problems), _notes(table, unlabelled, labelled))


def _wrong(texts: dict[str, str | None], filled: bool) -> str:
    """What is wrong with the texts of a row, by their columns, or ""."""
    for name, text in texts.items():
        if text is None:
            return f"no '{name}' in it; add it or remove the row"
        if filled and not text.strip():
            return f"an empty '{name}'; fill it in or remove the row"
    return ""


def _label(row: tuple[str | None, ...], place: dict[str, int], column: str) -> str:
    """What stands in the column of the label, "" if there is none."""
    return ((row[place[column]] or "") if column else "").strip()


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

"""Several labels of a text: in one column of a table, or one column a label."""

from collections.abc import Sequence

from apps.bert.tasks.columns import NUMERIC, Columns
from apps.bert.tasks.tables import Table
from shared.common.errors import KerasuiteError
from shared.text.tables.cell_values import missing_values, number_of
from shared.text.tables.label_sets import (
    MULTILABEL,
    SINGLE,
    LabelCells,
    joined_by,
    labels_in,
    labels_of_row,
    recognised,
    separator_of,
    truth_columns,
    truth_of,
)


class SeveralLabels:
    """The labels of the rows of a table; rows without any are counted and kept.

    Args:
        table: the table.
        columns: names of the column of the labels, or of all columns of 0 and 1.
        separator: between the labels of a cell; "" for columns of 0 and 1.
        note: how it was recognised.
    """

    decimal_commas = False

    def __init__(self, table: Table, columns: Sequence[str], separator: str, note: str):
        self.separator = separator
        self._path, self._note, self._empty = table.path, note, 0
        self._columns = {name: table.columns.index(name) for name in columns}
        self._missing = missing_values(_cells(table, columns[0])) if separator else ()

    def of(self, row: Sequence[str | None]) -> tuple[str, ...]:
        """The labels of a row.

        Raises:
            ValueError: if a cell is neither 0 nor 1.
        """
        if self.separator:
            (index,) = self._columns.values()
            cell = (row[index] or "").strip()
            found = () if cell in self._missing else labels_in(cell, self.separator)
        else:
            cells = {name: row[index] for name, index in self._columns.items()}
            for name, cell in cells.items():
                if truth_of(cell) is None:
                    raise ValueError(f"'{cell}' in column '{name}' is not 0 or 1; mend it")
            found = labels_of_row(cells)
        self._empty += not found
        return found

    def notes(self, labelled: bool, numbers: bool) -> tuple[str, ...]:
        """The kind of labels that was recognised, and the number of rows without one."""
        empty = f"{self._path}: {self._empty:,} rows have no label, which is one of the answers"
        return (self._note, empty) if self._empty else (self._note,)


def several_labels(table: Table, columns: Columns, label_cells: LabelCells) -> SeveralLabels | None:
    """The labels of a table whose rows have several, or None where each has one.

    Args:
        table: the table.
        columns: of the texts and of the label.
        label_cells: what the user says of the labels, and what the training data have.

    Raises:
        KerasuiteError: if there should be several labels and no column has any.
    """
    if label_cells.kind == SINGLE:
        return None
    if columns.label:
        return _in_cells(table, columns.label, label_cells)
    texts = {columns.text, columns.pair}
    found = truth_columns({n: _cells(table, n) for n in table.columns if n not in texts})
    if found:
        shown = ", ".join(found[:5]) + (", ..." if len(found) > 5 else "")
        note = f"{table.path}: several labels a text, in {len(found)} columns of 0 and 1: {shown}"
        return SeveralLabels(table, found, "", note)
    if label_cells.kind == MULTILABEL:
        raise KerasuiteError(
            f"{table.path}: no labels in it for --kind multilabel; name their column with "
            f"--label-column, or give columns of 0 and 1; it has: {', '.join(table.columns)}"
        )
    return None


def _in_cells(table: Table, column: str, given: LabelCells) -> SeveralLabels | None:
    cells = _cells(table, column)
    present = {*cells} - missing_values(cells)
    if given.kind == MULTILABEL:
        separator = given.separator or separator_of(present)
        reason = "as in the training data" if given.separator else "--kind multilabel"
        note = f"{table.path}: several labels a text, with '{separator}' between them ({reason})"
        return SeveralLabels(table, [column], separator, note)
    numbers = (number_of(cell, decimal_comma=True) is not None for cell in present)
    if column.lower() in NUMERIC or all(numbers):
        return None
    found = recognised(present)
    if found.kind == MULTILABEL:
        note = (
            f"{table.path}: several labels a text, recognised by the '{found.separator}' between "
            f"labels that also stand alone; with --kind single each cell of '{column}' is a class"
        )
        return SeveralLabels(table, [column], found.separator, note)
    return None


def joined_note(table: Table, column: str) -> str:
    """A line on classes that look like several labels and are read as one each; or ""."""
    cells = _cells(table, column)
    count = joined_by({*cells} - missing_values(cells))
    if not count:
        return ""
    return (
        f"{table.path}: {count:,} classes of '{column}' have a ';' or ',' and are one class each; "
        f"with --kind multilabel they are several labels"
    )


def _cells(table: Table, column: str) -> list[str]:
    index = table.columns.index(column)
    return [(row[index] or "").strip() for _, row in table.rows]

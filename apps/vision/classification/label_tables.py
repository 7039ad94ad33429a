"""Tables of labelled images, CSV or TSV: a path, and a label, several, or columns of 0 and 1.

path,label,split         path,label           path,cat,dog
a.jpg,cat,train          a.jpg,cat;dog        a.jpg,1,1
b.jpg,dog,val            b.jpg,               b.jpg,0,0
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.common.errors import KerasuiteError
from shared.common.names import usable_name
from shared.text.tables.label_sets import (
    MULTILABEL,
    SINGLE,
    joined_by,
    labels_in,
    labels_of_row,
    recognised,
    truth_columns,
    truth_of,
)

# Between the labels of an image, in tables and in `LabelledFile.label`.
SEPARATOR = ";"
LABEL_COLUMNS = ("label", "labels")
_MEANING = {SINGLE: "one class an image", MULTILABEL: "several an image"}


@dataclass(frozen=True)
class LabelTable:
    """The rows of a table.

    Attributes:
        path: the file.
        rows: column to cell, from line 2 on; blank lines are none.
        label_column: "label" or "labels"; "" where the labels are columns of 0 and 1.
        truth_columns: those columns.
    """

    path: Path
    rows: list[tuple[int, dict[str, str | None]]]
    label_column: str
    truth_columns: list[str]

    def cells(self) -> list[str]:
        """The cells of the column of the labels."""
        return [(row[self.label_column] or "").strip() for _, row in self.rows]

    def labelled(self, kind: str) -> Iterator[tuple[int, dict[str, str | None], str]]:
        """(line, row, label) of each row; several labels are joined by `SEPARATOR`."""
        for line, row in self.rows:
            where = f"{self.path}, line {line}"
            if not (row["path"] or "").strip():
                raise KerasuiteError(f"{where}: needs both a path and a label")
            yield line, row, self._label(row, where, kind)

    def _label(self, row: dict[str, str | None], where: str, kind: str) -> str:
        if kind == MULTILABEL and self.truth_columns:
            values = {name: row[name] for name in self.truth_columns}
            for name, cell in values.items():
                if truth_of(cell) is None:
                    raise KerasuiteError(f"{where}: '{cell}' in column '{name}' is not 0 or 1")
            return joined(labels_of_row(values))
        if self.truth_columns:
            raise KerasuiteError(
                f"{self.path}: has labels in columns of 0 and 1 and no column 'label'; leave out "
                f"--kind {kind}"
            )
        cell = (row[self.label_column] or "").strip()
        if kind == MULTILABEL:
            return joined(usable_name(name, where) for name in labels_in(cell, SEPARATOR))
        if not cell:
            raise KerasuiteError(f"{where}: needs both a path and a label")
        return usable_name(cell, where)


def joined(names) -> str:
    """Labels as one text, in the order of the alphabet."""
    return SEPARATOR.join(sorted(set(names)))


def label_set(label: str) -> tuple[str, ...]:
    """The labels of a text of `joined`."""
    return tuple(label.split(SEPARATOR)) if label else ()


def read_label_table(path: Path) -> LabelTable:
    """Reads a table and finds the columns of its labels.

    Raises:
        KerasuiteError: if it is no UTF-8 CSV or TSV, or lacks columns.
    """
    delimiter = "\t" if path.suffix.lower() in (".tsv", ".tab") else ","
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter=delimiter)
            rows = list(enumerate(reader, start=2))
            names = list(reader.fieldnames or [])
    except (UnicodeDecodeError, csv.Error):
        raise KerasuiteError(f"{path}: is not a UTF-8 CSV file; save it as one") from None
    label = next((name for name in LABEL_COLUMNS if name in names), "")
    others = [name for name in names if name not in ("path", "split", *LABEL_COLUMNS)]
    columns = {name: [row.get(name) for _, row in rows] for name in others}
    found = [] if label else truth_columns(columns)
    missing = {"path", "label"} - set(names) - ({"label"} if label or found else set())
    if missing:
        raise KerasuiteError(
            f"{path}: the first line must name the columns path,label "
            f"({' and '.join(sorted(missing))} missing)"
        )
    if bad := [name for name in found if SEPARATOR in name]:
        raise KerasuiteError(f"{path}: the label '{bad[0]}' has a '{SEPARATOR}'; rename it")
    return LabelTable(path, rows, label, [usable_name(name, str(path)) for name in found])


def found_kind(data: Sequence[str], kind: str = "auto") -> tuple[str, list[str]]:
    """Whether images have one class or several labels, and lines that say why.

    Args:
        data: files and folders; folders have a class for each image.
        kind: "single" or "multilabel" where the user says it.
    """
    tables = [read_label_table(path) for text in data if (path := Path(text)).is_file()]
    if kind != "auto":
        return kind, [f"labels: {_MEANING[kind]} (--kind {kind})"]
    cells = {cell for table in tables if table.label_column for cell in table.cells()}
    if wide := [table for table in tables if table.truth_columns]:
        count = len(wide[0].truth_columns)
        return MULTILABEL, [
            f"labels: {_MEANING[MULTILABEL]}, recognised by {count} columns of 0 and 1 in "
            f"{wide[0].path} (--kind multilabel)"
        ]
    if recognised(cells, [SEPARATOR]).kind == MULTILABEL:
        return MULTILABEL, [
            f"labels: {_MEANING[MULTILABEL]}, recognised by the '{SEPARATOR}' between labels that "
            f"also stand alone (--kind multilabel; with --kind single each cell is one class)"
        ]
    count = joined_by(cells, [SEPARATOR])
    if not count:
        return SINGLE, []
    return SINGLE, [
        f"{count:,} labels have a '{SEPARATOR}' and are one class each; with --kind multilabel "
        f"they are several"
    ]

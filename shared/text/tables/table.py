"""Tables in memory: the columns of all rows of some files, as text."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from shared.common.errors import KerasuiteError
from shared.common.inputs import Source
from shared.text.tables.cells import clean
from shared.text.tables.split_files import SplitFiles
from shared.text.tables.table_rows import ENDINGS, READS, TableRow, TableRows, shown_names

FILES = SplitFiles(ENDINGS, READS)
# TensorFlow takes minutes to make a graph of more inputs.
MAX_COLUMNS = 10_000


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a row stands: file and line."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclasses.dataclass
class Table:
    """Rows of one or several files.

    Attributes:
        columns: name to the cells of all rows, clean.
        places: where each row stands.
        problems: (place, what is wrong with it) of the rows that are left out.
        notes: lines for the user.
        held_out: bool array, the rows that are held out from training.
    """

    columns: dict[str, np.ndarray]
    places: list[Place]
    held_out: np.ndarray
    problems: list[tuple[Place, str]] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)

    def __len__(self) -> int:
        return len(self.places)

    def without(self, faults: dict[int, str]) -> "Table":
        """The table without some rows, which become problems.

        Args:
            faults: index of a row to what is wrong with it.
        """
        if not faults:
            return self
        kept = np.array([index not in faults for index in range(len(self))], bool)
        columns = {name: cells[kept] for name, cells in self.columns.items()}
        places = [place for place, keep in zip(self.places, kept, strict=True) if keep]
        found = [(self.places[index], faults[index]) for index in sorted(faults)]
        problems = [*self.problems, *found]
        return Table(columns, places, self.held_out[kept], problems, self.notes)


def read_tables(
    paths: Sequence[Path], held_out: Sequence[Path] = (), columns: Sequence[str] | None = None
) -> Table:
    """Reads files with the same columns, in any order.

    Args:
        paths: the files.
        held_out: further files, whose rows are held out.
        columns: names of the columns to read; None: all.

    Raises:
        KerasuiteError: if a file cannot be read, has no row, or has other columns.
    """
    parts = [_read(path, columns) for path in (*paths, *held_out)]
    for part, path in zip(parts, (*paths, *held_out), strict=True):
        _require_same(part, parts[0], path, paths[0])
    sizes = [len(part) for part in parts]
    return Table(
        {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns},
        [place for part in parts for place in part.places],
        np.repeat(np.arange(len(parts)) >= len(paths), sizes),
        [problem for part in parts for problem in part.problems],
        [note for part in parts for note in part.notes],
    )


def _read(path: Path, wanted: Sequence[str] | None) -> Table:
    if not path.is_file():
        raise KerasuiteError(f"{path}: no such file; check the path")
    return read_source(Source(str(path), path), wanted)


def read_source(source: Source, columns: Sequence[str] | None = None) -> Table:
    """Reads one file, or standard input.

    Args:
        source: the file.
        columns: names of the columns to read; None: all.

    Raises:
        KerasuiteError: if it cannot be read, has no row, or lacks a column.
    """
    path, rows = source.name, TableRows(source, columns)
    places, kept, problems = [], [], []
    for row in rows:
        place = Place(path, row.line)
        if row.problem:
            problems.append((place, row.problem))
        else:
            places.append(place)
            kept.append(_clean_row(row))
    if not kept:
        first = f"; {problems[0][0]}: {problems[0][1]}" if problems else ""
        raise KerasuiteError(f"{path}: no rows in it{first}; give a file with a row per example")
    if len(rows.columns) > MAX_COLUMNS:
        raise KerasuiteError(
            f"{path}: has {len(rows.columns):,} columns; at most {MAX_COLUMNS:,} are read, leave "
            f"some out of the file"
        )
    cells = {name: _as_array(cells) for name, cells in zip(rows.columns, zip(*kept, strict=True),
                                                           strict=True)}  # fmt: skip
    held_out = np.zeros(len(places), bool)
    return Table(cells, places, held_out, problems, list(_notes(path, rows)))


def _clean_row(row: TableRow) -> tuple[str, ...]:
    return tuple(map(clean, row.cells))


def _as_array(cells: Iterable[str]) -> np.ndarray:
    cells = list(cells)
    array = np.empty(len(cells), object)
    array[:] = cells
    return array


def _notes(path: str, rows: TableRows) -> Iterator[str]:
    if rows.damaged:
        yield f"{path}: {rows.damaged:,} bytes are not UTF-8 or zero and were replaced"


def _require_same(part: Table, first: Table, path: Path, first_path: Path) -> None:
    for one, other, where, there in (
        (part, first, path, first_path), (first, part, first_path, path),
    ):  # fmt: skip
        if missing := [name for name in other.columns if name not in one.columns]:
            raise KerasuiteError(
                f"{where}: has no column {shown_names([repr(name) for name in missing], 3)}, which "
                f"{there} has; give files with the same columns"
            )

"""Rows of a table as they are written: CSV, TSV, JSON lines, JSON or Parquet, in constant memory.

Cells stay text. Quotes may hold delimiters and line ends; a row that cannot be read is given with
its problem, and the ones behind it are read on.
"""

import contextlib
import csv
import gzip
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, NamedTuple

from shared.common.errors import KerasuiteError
from shared.common.inputs import Source
from shared.common.names import usable_names
from shared.text.line_files import count_lines, is_gzip
from shared.text.tables.cell_values import number_of
from shared.text.tables.formats import (
    CSV,
    DELIMITERS,
    JSON,
    JSON_LINES,
    PARQUET,
    TSV,
    cell_text,
    table_suffix,
)
from shared.text.tables.json_rows import object_of, read_objects
from shared.text.tables.parquet_rows import count_parquet_rows, parquet_columns, parquet_rows
from shared.text.text_files import decoded
from shared.text.text_lines import read_lines

ENDINGS = (*TSV, *CSV, *JSON, *PARQUET)
READS = ".csv, .tsv, .jsonl, .json, .parquet"
_SNIFFED_LINES = 100
MAX_LINE = 1 << 26


class TableRow(NamedTuple):
    """A row, or why there is none.

    Attributes:
        line: int. Where it begins, from 1; in JSON lists and Parquet the number of the row.
        cells: a text for each column; None where an object of JSON lacks the key.
        problem: str. Why the row cannot be used, or "".
    """

    line: int
    cells: Sequence[str | None] = ()
    problem: str = ""


class TableRows:
    """The rows of one file, read anew at each iteration.

    Args:
        source: the file; standard input is read as CSV.
        columns: names of the columns to give, in this order; None: all.

    Attributes:
        columns: names of the columns that rows have; known once iteration has begun.
        unused: names of the file's other columns, likewise.
        damaged: int. Bytes that were not UTF-8, or zero, in what was read.

    Raises:
        KerasuiteError: while iterating, if the file cannot be read or lacks a column.
    """

    def __init__(self, source: Source, columns: Sequence[str] | None = None):
        self.source, self._wanted = source, columns
        self.columns: list[str] = list(columns or ())
        self.unused: list[str] = []
        self.damaged = 0

    def __iter__(self) -> Iterator[TableRow]:
        path = self.source.path
        ending = ".csv" if path is None else table_suffix(path)
        if ending not in ENDINGS:
            raise KerasuiteError(f"{self.source.name}: is no table by its name; give {READS}")
        if ending in PARQUET:
            return self._parquet()
        if ending == ".json":
            return self._objects()
        return self._json_lines() if ending in JSON_LINES else self._delimited(ending in TSV)

    # === Formats ===

    def _delimited(self, has_tabs: bool) -> Iterator[TableRow]:
        with self.source.open() as file:
            lines = self._lines(file)
            begin = list(itertools.islice(lines, _SNIFFED_LINES))
            delimiter = "\t" if has_tabs else sniff_delimiter(begin)
            rows = _csv_rows(itertools.chain(begin, lines), delimiter)
            header = next(rows, None)
            if header is None:
                raise KerasuiteError(f"{self.source.name}: is empty; give a file with a header")
            if header.problem:
                raise KerasuiteError(f"{self.source.name}:{header.line}: {header.problem}")
            names = self._checked(header.cells)
            places = self._places(names)
            for row in rows:
                if row.problem:
                    yield row
                elif len(row.cells) != len(names):
                    yield TableRow(row.line, problem=(
                        f"{len(row.cells):,} cells instead of {len(names):,}; check its quotes "
                        f"and delimiters"
                    ))  # fmt: skip
                else:
                    yield TableRow(row.line, [row.cells[place] for place in places])

    def _json_lines(self) -> Iterator[TableRow]:
        if self._wanted is None:
            self.columns = self._keys()
        with self.source.open() as file:
            for number, line in enumerate(self._lines(file), 1):
                if not line.strip():
                    continue
                try:
                    found = object_of(line)
                except ValueError as error:
                    yield TableRow(number, problem=str(error))
                else:
                    yield TableRow(number, self._cells_of(found))

    def _keys(self) -> list[str]:
        """The keys of all objects, in the order of their first appearance."""
        keys: dict[str, None] = {}
        with self.source.open() as file:
            for line in self._lines(file):
                try:
                    keys.update(dict.fromkeys(object_of(line)))
                except ValueError:
                    continue
        self.damaged = 0
        return self._checked(keys)

    def _objects(self) -> Iterator[TableRow]:
        path = self.source.path
        objects, problems = read_objects(path, read_lines(path).lines)
        if self._wanted is None:
            self.columns = self._checked(
                dict.fromkeys(key for _, value in objects for key in value)
            )
        rows = [TableRow(number, self._cells_of(value)) for number, value in objects]
        for problem in problems:
            place, _, message = problem.removeprefix(f"{path}:").partition(": ")
            rows.append(TableRow(int(place), problem=message))
        yield from sorted(rows, key=lambda row: row.line)

    def _parquet(self) -> Iterator[TableRow]:
        names = self._checked(parquet_columns(self.source))
        self._places(names)
        for number, cells in enumerate(parquet_rows(self.source, self.columns), 1):
            yield TableRow(number, cells)

    # === Columns ===

    def _checked(self, names: Iterable[str]) -> list[str]:
        names = usable_names(names, f"{self.source.name}: columns")
        if names and all(number_of(name) is not None for name in names):
            raise KerasuiteError(
                f"{self.source.name}: its first row has numbers for names ({', '.join(names[:3])}"
                f"{', ...' if len(names) > 3 else ''}); write a header above it"
            )
        return names

    def _places(self, names: list[str]) -> list[int]:
        """Where the wanted columns stand in a file with these."""
        wanted = names if self._wanted is None else self._wanted
        places = {name: place for place, name in enumerate(names)}
        if missing := [name for name in wanted if name not in places]:
            others = f" (nor {len(missing) - 1:,} more)" if len(missing) > 1 else ""
            raise KerasuiteError(
                f"{self.source.name}: has no column '{missing[0]}'{others}; it has "
                f"{shown_names(names)}"
            )
        self.columns = list(wanted)
        self.unused = [name for name in names if name not in set(wanted)]
        return [places[name] for name in wanted]

    def _cells_of(self, found: dict) -> list[str | None]:
        # A null is an empty cell; a key that is not there is none.
        return [(cell_text(found[n]) or "") if n in found else None for n in self.columns]

    def _lines(self, file: BinaryIO) -> Iterator[str]:
        """Lines with their ends, which are LF or CRLF."""
        packed = is_gzip(self.source.name)
        rest = ""
        stream = gzip.GzipFile(fileobj=file) if packed else file
        for text, damaged in decoded(self.source.name, stream):
            self.damaged += damaged
            *lines, rest = (rest + text).split("\n")
            for line in lines:
                yield f"{line}\n"
            if len(rest) > MAX_LINE:
                raise KerasuiteError(
                    f"{self.source.name}: has a line of more than {MAX_LINE >> 20} MiB; is it a "
                    f"table?"
                )
        if rest:
            yield rest


def count_rows(source: Source) -> int:
    """About as many rows as a file has, found cheaply; for progress bars."""
    if source.path is not None and table_suffix(source.path) in PARQUET:
        return count_parquet_rows(source)
    is_json = source.path is not None and table_suffix(source.path) in JSON
    return max(0, count_lines(source) - (not is_json))


def shown_names(names: Sequence[str], count: int = 12) -> str:
    """The first of some names, and how many there are beside them."""
    more = f" and {len(names) - count:,} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more


def sniff_delimiter(lines: Sequence[str]) -> str:
    """The first delimiter that gives nearly all lines equally many cells, or a comma."""
    for delimiter in DELIMITERS:
        widths: list[int] = []
        with contextlib.suppress(csv.Error):
            widths += (len(row) for row in csv.reader(lines, delimiter=delimiter) if row)
        if widths and widths[0] > 1 and widths.count(widths[0]) >= 0.9 * len(widths):
            return delimiter
    return ","


def _csv_rows(lines: Iterable[str], delimiter: str) -> Iterator[TableRow]:
    """The rows that are not blank; blanks behind a delimiter are no part of a cell."""
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    line = 1
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            yield TableRow(line, problem=_csv_problem(str(error), line, reader.line_num))
        else:
            if row is None:
                return
            if row:
                yield TableRow(line, row)
        line = reader.line_num + 1


def _csv_problem(error: str, first: int, last: int) -> str:
    lines = f"lines {first:,} to {last:,} are" if last > first else "the line is"
    if "unexpected end" in error:
        return f"a quotation mark is never closed ({lines} left out); close it"
    return f'no valid CSV ({error}; {lines} left out); write " inside of quotes as ""'

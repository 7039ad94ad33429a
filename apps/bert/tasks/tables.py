"""Tables of text as rows with named columns: GLUE's TSV, CSV, JSON, also .gz; Parquet."""

import csv
import dataclasses
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from apps.bert.tasks.headers import looks_like_header
from shared.common.errors import KerasuiteError
from shared.common.inputs import Source
from shared.text.tables.formats import CSV, DELIMITERS, JSON, PARQUET, cell_text, table_suffix
from shared.text.tables.json_rows import Objects, read_objects
from shared.text.tables.parquet_rows import parquet_columns, parquet_rows
from shared.text.text_lines import read_lines

_SNIFFED_ROWS = 200
_RARELY = 0.05

Rows = list[tuple[int, tuple[str | None, ...]]]


@dataclasses.dataclass(frozen=True)
class Table:
    """The rows of a file.

    Attributes:
        path: the file.
        columns: names of the columns; "1", "2", ... where the file has no header.
        rows: list of (line number from 1, one string for each column); None for missing values of
            JSON.
        problems: messages about rows that do not fit the columns and are left out.
        has_header: bool. Whether the names are the file's own.
        guessed_header: bool. Whether none of them is known.
        notes: what was recognised, a line each.
        file_problems: problems of the file as a whole, a line each.
    """

    path: Path
    columns: tuple[str, ...]
    rows: Rows
    problems: tuple[str, ...] = ()
    has_header: bool = True
    guessed_header: bool = False
    notes: tuple[str, ...] = ()
    file_problems: tuple[str, ...] = ()


def read_table(path: Path, known_columns: Sequence[str]) -> Table:
    """Reads a table.

    TSV is read without quoting, as GLUE's files are written: a `"` is a character. NUL bytes and
    invalid UTF-8 do not end a text; the tokenizer skips them.

    Args:
        path: .tsv (also .tab, .txt), .csv, .jsonl or .json, each also with .gz; .parquet.
        known_columns: lower-case names. The first line of a TSV or CSV is a header if it has one of
            them, or if `looks_like_header` says so.

    Raises:
        KerasuiteError: if the file cannot be read or has no rows.
    """
    if table_suffix(path) in PARQUET:
        return _from_parquet(path)
    text = read_lines(path)
    if table_suffix(path) in JSON:
        table = _from_objects(path, *read_objects(path, text.lines))
    elif table_suffix(path) in CSV:
        table = _from_csv(path, text.lines, known_columns)
    else:
        rows = [
            (n, tuple(line.split("\t"))) for n, line in enumerate(text.lines, 1) if line.strip()
        ]
        table = _from_rows(path, rows, known_columns)
    if not table.rows:
        first = f"; {table.problems[0]}" if table.problems else ""
        raise KerasuiteError(f"{path}: no rows in it{first}; give a file with a row per example")
    return dataclasses.replace(table, file_problems=text.problems(path))


def _from_parquet(path: Path) -> Table:
    """The rows of a Parquet file, numbered from 1."""
    source = Source(str(path), path)
    names = parquet_columns(source)
    rows = [(n, tuple(cells)) for n, cells in enumerate(parquet_rows(source, names), 1)]
    if not rows:
        raise KerasuiteError(f"{path}: no rows in it; give a file with a row per example")
    return Table(path, tuple(names), rows)


def _from_csv(path: Path, lines: list[str], known: Sequence[str]) -> Table:
    delimiter = _delimiter(path, lines, known)
    table = _from_rows(path, list(_csv_rows(path, lines, delimiter)), known)
    if delimiter == ",":
        return table
    note = f"{path}: the columns are parted by {DELIMITERS[delimiter]}"
    return dataclasses.replace(table, notes=(note, *table.notes))


def _delimiter(path: Path, lines: list[str], known: Sequence[str]) -> str:
    """The delimiter that finds a known column in the first row, or else equally many everywhere."""
    regular = ""
    for delimiter in DELIMITERS:
        try:
            rows = [
                row for _, row in _csv_rows(path, lines[:_SNIFFED_ROWS], delimiter, whole=False)
            ]
        except KerasuiteError:
            continue
        width = len(rows[0]) if rows else 1
        if width > 1 and _is_header(rows[0], known):
            return delimiter
        if width > 1 and not regular and sum(len(row) == width for row in rows) >= 0.9 * len(rows):
            regular = delimiter
    return regular or ","


def _csv_rows(
    path: Path, lines: list[str], delimiter: str, whole: bool = True
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """(line, cells) of each row; `whole` is False for the beginning of a file."""
    content = io.StringIO("\n".join(lines), newline="")
    reader = csv.reader(content, delimiter=delimiter, strict=whole)
    line = 1
    try:
        for row in reader:
            if row:
                yield line, tuple(row)
            line = reader.line_num + 1
    except csv.Error as error:
        raise KerasuiteError(
            f'{path}:{line}: no valid CSV ({error}); write " inside a quoted text as "", or give '
            f"a .tsv"
        ) from error


def _is_header(row: Sequence[str], known: Sequence[str]) -> bool:
    return any(name.strip().lower() in known for name in row)


def _from_rows(path: Path, rows: list, known: Sequence[str]) -> Table:
    """The rows with their header; rows of another length become problems."""
    rows, emptied = _without_empty_columns(path, rows)
    first = rows[0][1] if rows else ()
    known_header, notes = _is_header(first, known), ()
    guessed = not known_header and looks_like_header([row for _, row in rows])
    if guessed:
        names = ", ".join(name.strip() for name in first)
        notes = (
            f"{path}: the first row ({names}) is taken for a header, as its label is in no other "
            f"row; if it is an example, write a header above it",
        )
    has_header = known_header or guessed
    if has_header:
        columns, rows = tuple(name.strip() for name in first), rows[1:]
    else:
        columns = tuple(str(number) for number in range(1, len(first) + 1))
    fitting = [(line, row) for line, row in rows if len(row) == len(columns)]
    problems = tuple(
        f"{path}:{line}: {len(row)} columns instead of {len(columns)}; check tabs and quotes"
        for line, row in rows
        if len(row) != len(columns)
    )
    return Table(path, columns, fitting, problems, has_header, guessed, emptied + notes)


def _without_empty_columns(path: Path, rows: list) -> tuple[list, tuple[str, ...]]:
    """The rows without last columns that have no name and hardly any value, and a note on these.

    Spreadsheets write them: "v1,v2,,,".
    """
    first = rows[0][1] if rows else ()
    named = len(first)
    while named and not first[named - 1].strip():
        named -= 1
    whole = [row for _, row in rows if len(row) == len(first)]
    filled = sum(any(cell.strip() for cell in row[named:]) for row in whole)
    if not 1 < named < len(first) or filled > _RARELY * len(whole):
        return rows, ()
    cut = [(line, row[:named] if len(row) == len(first) else row) for line, row in rows]
    if not filled:
        return cut, ()
    note = f"{path}: {filled:,} rows have text in columns without a name, which are left out"
    return cut, (note,)


def _from_objects(path: Path, objects: Objects, problems: list[str]) -> Table:
    """The objects of JSON; numbers become text, lists and objects JSON again."""
    columns = tuple(dict.fromkeys(name for _, value in objects for name in value))
    rows = [(number, tuple(cell_text(value.get(n)) for n in columns)) for number, value in objects]
    return Table(path, columns, rows, tuple(problems))

"""Tables of text as rows with named columns: GLUE's TSV, CSV, JSON lines; also .gz."""

import csv
import dataclasses
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from shared.common.errors import KerasuiteError
from shared.text.text_lines import read_lines

TSV, CSV, JSONL = (".tsv", ".tab", ".txt"), (".csv",), (".jsonl", ".ndjson")


@dataclasses.dataclass(frozen=True)
class Table:
    """The rows of a file.

    Attributes:
        path: the file.
        columns: names of the columns; "1", "2", ... where the file has no header.
        rows: list of (line number from 1, one string for each column); None for missing values of
            JSON lines.
        problems: messages about rows that do not fit the columns and are left out.
        has_header: bool. Whether the names are the file's own.
    """

    path: Path
    columns: tuple[str, ...]
    rows: list[tuple[int, tuple[str | None, ...]]]
    problems: tuple[str, ...] = ()
    has_header: bool = True


def is_table(path: Path) -> bool:
    """Whether a file is a table by its name."""
    return table_suffix(path) in TSV + CSV + JSONL


def table_suffix(path: Path) -> str:
    """The lower-case ending of a file's name, without .gz."""
    name = path.name.lower().removesuffix(".gz")
    return Path(name).suffix


def read_table(path: Path, known_columns: Sequence[str]) -> Table:
    """Reads a table.

    TSV is read without quoting, as GLUE's files are written: a `"` is a character. NUL bytes and
    invalid UTF-8 do not end a text; the tokenizer skips them.

    Args:
        path: .tsv (also .tab, .txt), .csv, .jsonl, each also with .gz.
        known_columns: lower-case names. The first line of a TSV or CSV is a header if it has one of
            them.

    Raises:
        KerasuiteError: if the file cannot be read or has no rows.
    """
    lines = read_lines(path).lines
    if table_suffix(path) in JSONL:
        table = _from_objects(path, lines)
    elif table_suffix(path) in CSV:
        table = _from_rows(path, list(_csv_rows(path, lines)), known_columns)
    else:
        rows = [(n, tuple(line.split("\t"))) for n, line in enumerate(lines, 1) if line.strip()]
        table = _from_rows(path, rows, known_columns)
    if not table.rows:
        first = f"; {table.problems[0]}" if table.problems else ""
        raise KerasuiteError(f"{path}: no rows in it{first}; give a file with a row per example")
    return table


def _csv_rows(path: Path, lines: list[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
    reader = csv.reader(io.StringIO("\n".join(lines), newline=""), strict=True)
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


def _from_rows(path: Path, rows: list, known: Sequence[str]) -> Table:
    """The rows with their header; rows of another length become problems."""
    first = rows[0][1] if rows else ()
    has_header = any(name.strip().lower() in known for name in first)
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
    return Table(path, columns, fitting, problems, has_header)


def _from_objects(path: Path, lines: list[str]) -> Table:
    """The objects of JSON lines; numbers become text, lists and objects JSON again."""
    objects, problems = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            problems.append(f"{path}:{number}: no valid JSON ({error}); write one object per line")
            continue
        if isinstance(value, dict):
            objects.append((number, value))
        else:
            problems.append(f"{path}:{number}: no JSON object; write one object per line")
    columns = tuple(dict.fromkeys(name for _, value in objects for name in value))
    rows = [(number, tuple(_text(value.get(n)) for n in columns)) for number, value in objects]
    return Table(path, columns, rows, tuple(problems))


def _text(value) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)

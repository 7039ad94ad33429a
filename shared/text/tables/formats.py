"""Formats of tables by the ending of a file's name, also with .gz."""

import json
from pathlib import Path
from typing import Any

TSV, CSV, JSON = (".tsv", ".tab", ".txt"), (".csv",), (".jsonl", ".ndjson", ".json")
JSON_LINES = (".jsonl", ".ndjson")
PARQUET = (".parquet",)
# What a .csv may have between its columns, commas first.
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


def is_table(path: Path) -> bool:
    """Whether a file is a table of text by its name."""
    return table_suffix(path) in TSV + CSV + JSON + PARQUET


def table_suffix(path: Path) -> str:
    """The lower-case ending of a file's name, without .gz."""
    name = path.name.lower().removesuffix(".gz")
    return Path(name).suffix


def cell_text(value: Any) -> str | None:
    """A value of JSON as the text of a cell: numbers as written, lists and objects JSON again."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)

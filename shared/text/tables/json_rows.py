"""JSON files of objects: one object a line, a list of objects, or such a list below "data"."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shared.common.errors import KerasuiteError

_SURROGATE = re.compile("[\ud800-\udfff]")
# Row number and object of each row.
Objects = list[tuple[int, dict[str, Any]]]


def parse_document(path: Path, lines: Sequence[str]) -> Any:
    """The value that all of a JSON file is, or None if it has one value a line.

    Raises:
        KerasuiteError: if the file is neither.
    """
    texts = [line for line in lines if line.strip()]
    if len(texts) > 1 and isinstance(_value_of(texts[0]), dict):
        return None
    try:
        return _loads("\n".join(lines))
    except RecursionError as error:
        raise KerasuiteError(f"{path}: its JSON is nested too deeply; give a flat file") from error
    except ValueError as error:
        raise KerasuiteError(
            f"{path}: no valid JSON ({error}); give one object a line, or a list of objects"
        ) from error


def read_objects(path: Path, lines: Sequence[str]) -> tuple[Objects, list[str]]:
    """The objects of a file and messages about rows that are none.

    Args:
        path: the file; a .jsonl has one object a line.
        lines: its lines.

    Raises:
        KerasuiteError: if a .json has no list of objects.
    """
    if _is_lines(path) and not next(filter(str.strip, lines), "").lstrip().startswith("["):
        return _of_lines(path, lines)
    document = parse_document(path, lines)
    if document is None:
        return _of_lines(path, lines)
    items = rows_of(document)
    if items is None:
        raise KerasuiteError(
            f"{path}: holds no list of objects; give one object a line, or a list of objects"
        )
    numbered = list(enumerate(items, 1))
    problems = [
        f"{path}:{number}: item {number} is no object; write a list of objects"
        for number, item in numbered
        if not isinstance(item, dict)
    ]
    return [(number, item) for number, item in numbered if isinstance(item, dict)], problems


def object_of(line: str) -> dict[str, Any]:
    """The object of a line.

    Raises:
        ValueError: if it is none; says why.
    """
    try:
        value = _loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no valid JSON ({error}); write one object per line") from error
    if not isinstance(value, dict):
        raise ValueError("no JSON object; write one object per line")
    return value


def rows_of(document: Any) -> list | None:
    """The rows of a JSON document that is a list, or has one in "data"; else None."""
    items = document.get("data") if isinstance(document, dict) else document
    rows = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    if not rows or any("paragraphs" in row for row in rows):
        return None
    return items


def _is_lines(path: Path) -> bool:
    return path.name.lower().removesuffix(".gz").endswith((".jsonl", ".ndjson"))


def _of_lines(path: Path, lines: Sequence[str]) -> tuple[Objects, list[str]]:
    objects, problems = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            objects.append((number, object_of(line)))
        except ValueError as error:
            problems.append(f"{path}:{number}: {error}")
    return objects, problems


def _loads(text: str) -> Any:
    """The value of a JSON text; half characters such as "\\ud83d", which no file can hold, become
    U+FFFD."""
    value = json.loads(text)
    return _without_surrogates(value) if "\\ud" in text.lower() else value


def _without_surrogates(value: Any) -> Any:
    match value:
        case str():
            return _SURROGATE.sub("\ufffd", value)
        case list():
            return [_without_surrogates(item) for item in value]
        case dict():
            return {_without_surrogates(k): _without_surrogates(v) for k, v in value.items()}
    return value


def _value_of(line: str) -> Any:
    try:
        return _loads(line)
    except (ValueError, RecursionError):
        return None

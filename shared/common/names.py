"""Names from users' files, of classes, labels and columns: checked once, where they are read."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from shared.common.errors import KerasuiteError


def usable_name(value: Any, where: str) -> str:
    """Strips the blanks around a name, which no reader of lists would keep.

    Args:
        value: the name; numbers count as their digits.
        where: file and row, for the error.

    Raises:
        KerasuiteError: if nothing is left, or it has a line end or a zero inside, or is no text.
    """
    name = str(value).strip()
    if not name:
        raise KerasuiteError(f"{where}: a name is empty; give it one")
    if any(character in name for character in "\n\r\0"):
        raise KerasuiteError(f"{where}: the name {name!r} goes over several lines; rename it")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise KerasuiteError(f"{where}: the name {name!r} is not Unicode; rename it") from None
    return name


def usable_names(values: Iterable[Any], where: str) -> list[str]:
    """The same for a list, in which each name stands once.

    Args:
        values: the names.
        where: the file, for the error.

    Raises:
        KerasuiteError: if a name is unusable or there twice.
    """
    names = [usable_name(value, f"{where}, name {n}") for n, value in enumerate(values, start=1)]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise KerasuiteError(f"{where}: the name '{twice}' is there twice; rename one")
    return names


def read_names(path: str | os.PathLike) -> list[str]:
    """Reads a list that was written with one name a line.

    Only a line feed ends a line: names may hold what else Unicode knows as a line separator.
    """
    return Path(path).read_bytes().decode().removesuffix("\n").split("\n")

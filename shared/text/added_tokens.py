"""Tokens with their ids in a folder of Hugging Face, and those that were added to a vocabulary."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from shared.common.errors import KerasuiteError
from shared.common.files import read_json_object

TOKENIZER = "tokenizer.json"
SETTINGS = "tokenizer_config.json"
ADDED = "added_tokens.json"
# Far beyond any vocabulary: what exceeds it would only fill the memory.
MAX_TOKENS = 10_000_000


def added_tokens(folder: Path) -> dict[int, str]:
    """Tokens that were added to a vocabulary, by id, of all files that may have them.

    Raises:
        KerasuiteError: if an entry is of a wrong type.
    """
    found: dict[int, str] = {}
    for path, entries in _added_entries(folder):
        for number, word in entries:
            number = token_number(path, word, number)
            found[number] = one_line(word)
    return found


def _added_entries(folder: Path) -> Iterator[tuple[Path, list[tuple[Any, Any]]]]:
    """(file, (id, token) of each) in the three forms that transformers has had."""
    if (path := folder / ADDED).is_file():
        yield path, [(number, word) for word, number in read_json_object(path).items()]
    if (path := folder / TOKENIZER).is_file():
        given = read_json_object(path).get("added_tokens") or []
        _check_entries(path, "added_tokens", given, list, given)
        yield path, [(entry.get("id"), entry.get("content")) for entry in given]
    if (path := folder / SETTINGS).is_file():
        given = read_json_object(path).get("added_tokens_decoder") or {}
        entries = given.values() if isinstance(given, dict) else ()
        _check_entries(path, "added_tokens_decoder", given, dict, entries)
        numbers = [int(key) if key.isdecimal() and len(key) < 19 else key for key in given]
        words = [entry.get("content") for entry in entries]
        yield path, list(zip(numbers, words, strict=True))


def _check_entries(path: Path, name: str, given: Any, kind: type, entries: Iterable) -> None:
    if not isinstance(given, kind) or not all(isinstance(entry, dict) for entry in entries):
        raise KerasuiteError(f"{path}: {name} holds no tokens with their ids; fetch it again")


def one_line(word: str) -> str:
    """A word, or "" where it has a line end: no text has it, and words are kept a line each."""
    return "" if "\n" in word or "\r" in word else word


def token_number(path: Path, word: Any, number: Any) -> int:
    """The number of a token, checked.

    Args:
        path: file that it is in, for error messages.
        word: the token as it was read.
        number: as it was read.

    Raises:
        KerasuiteError: if the token is no text, or the number is none.
    """
    is_word = isinstance(word, str) and not re.search("[\ud800-\udfff]", word)
    if not is_word or type(number) is not int or not 0 <= number < MAX_TOKENS:
        raise KerasuiteError(
            f"{path}: the number of the token {_short(word)} is {_short(number)}; it must be "
            f"one of 0 to {MAX_TOKENS - 1:,}: fetch it again"
        )
    return number


def _short(value: Any) -> str:
    return repr(value)[:80]

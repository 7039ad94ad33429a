"""Files of a byte-level BPE in a folder of Hugging Face: vocab.json and merges.txt."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from shared.common.errors import KerasuiteError
from shared.common.files import read_json_object
from shared.text.added_tokens import TOKENIZER, added_tokens, token_number
from shared.text.byte_level_bpe import check_vocabulary

VOCABULARY = "vocab.json"
MERGES = "merges.txt"
# First line of merges.txt, which is no merge.
VERSION = "#version: 0.2"
# Settings in tokenizer.json that change tokens, with the only values that are supported.
FIXED = {
    "model": {
        "dropout": None,
        "continuing_subword_prefix": "",
        "end_of_word_suffix": "",
        "byte_fallback": False,
        "ignore_merges": False,
    },
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
}


class ByteLevelVocabulary(NamedTuple):
    """Tokens and merges, of which a `ByteLevelBpe` is made.

    Attributes:
        names: list of str. The token of each id; "" where there is none.
        merges: list of pairs of names.
    """

    names: list[str]
    merges: list[tuple[str, str]]


def read_byte_level(folder: Path, size: int = 0) -> ByteLevelVocabulary:
    """Reads vocab.json and merges.txt, or tokenizer.json where these are missing.

    Args:
        folder: a folder of a model.
        size: rows of the token embedding, if known.

    Raises:
        KerasuiteError: if there is no such vocabulary, or there are more tokens than `size`.
    """
    path, tokenizer = folder / VOCABULARY, folder / TOKENIZER
    if path.is_file() and (folder / MERGES).is_file():
        numbers, merges = read_json_object(path), _lines(folder / MERGES)
    elif tokenizer.is_file():
        path = tokenizer
        numbers, merges = _of_tokenizer(path)
    else:
        raise KerasuiteError(
            f"{folder}: has neither {VOCABULARY} and {MERGES} nor {TOKENIZER}, and so no "
            f"byte-level tokens; fetch them too, or give another model"
        )
    words = {token_number(path, word, number): word for word, number in numbers.items()}
    for number, word in added_tokens(folder).items():
        words.setdefault(number, word)
    last = max(words, default=-1)
    if size and last >= size:
        raise KerasuiteError(
            f"{path}: has {last + 1:,} tokens, the model only {size:,}; they do not belong "
            f"together: fetch both again"
        )
    names = [words.get(number, "") for number in range(max(size, last + 1))]
    check_vocabulary(names, merges, str(path))
    return ByteLevelVocabulary(names, merges)


def byte_level_contents(vocabulary: ByteLevelVocabulary) -> dict[str, bytes]:
    """The content of vocab.json and merges.txt, by name."""
    numbers = {name: number for number, name in enumerate(vocabulary.names) if name}
    lines = [VERSION, *(f"{left} {right}" for left, right in vocabulary.merges)]
    texts = {VOCABULARY: json.dumps(numbers, ensure_ascii=False), MERGES: "\n".join(lines)}
    return {name: f"{text}\n".encode() for name, text in texts.items()}


def _lines(path: Path) -> list[tuple[str, str]]:
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise KerasuiteError(f"{path}: is no UTF-8 text ({error}); fetch it again") from error
    # Other separators of lines than these are parts of tokens.
    lines = text.replace("\r\n", "\n").split("\n")
    first = 1 if lines[0].startswith("#version") else 0
    return [
        _pair(f"{path}, line {number}", line.split(" "))
        for number, line in enumerate(lines[first:], first + 1)
        if line
    ]


def _pair(place: str, parts: Any) -> tuple[str, str]:
    if len(parts) != 2 or not all(isinstance(part, str) and part for part in parts):
        raise KerasuiteError(f"{place}: {str(parts)[:80]} is no pair of tokens; fetch it again")
    return parts[0], parts[1]


def _of_tokenizer(path: Path) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    values = read_json_object(path)
    model = values.get("model")
    kind = model.get("type") if isinstance(model, dict) else None
    if kind != "BPE":
        raise KerasuiteError(
            f"{path}: holds a tokenizer of type {kind}, not BPE; give another checkpoint"
        )
    if values.get("normalizer"):
        raise KerasuiteError(f"{path}: its normalizer is not supported; give another checkpoint")
    for part, settings in FIXED.items():
        given = values.get(part)
        for name, only in settings.items():
            value = given.get(name, only) if isinstance(given, dict) else None
            if value != only and (value or only):
                raise KerasuiteError(
                    f"{path}: {part}.{name} {str(value)[:80]} is not supported, only {only}; give "
                    f"another checkpoint"
                )
    numbers, merges = model.get("vocab"), model.get("merges")
    if not isinstance(numbers, dict) or not isinstance(merges, list):
        raise KerasuiteError(f"{path}: has no tokens and merges in it; fetch it again")
    pairs = (merge.split(" ") if isinstance(merge, str) else merge for merge in merges)
    return numbers, [_pair(f"{path}, merge {rank}", pair) for rank, pair in enumerate(pairs, 1)]

"""Word pieces in a checkpoint's folder: vocab.txt or tokenizer.json, and tokens added to them."""

from pathlib import Path

from shared.common.errors import KerasuiteError
from shared.common.files import read_json_object
from shared.common.messages import warn
from shared.text.added_tokens import TOKENIZER, added_tokens, one_line, token_number

VOCABULARY = "vocab.txt"
BYTE_ORDER_MARK = "\ufeff"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def read_vocabulary(folder: Path, size: int = 0) -> list[str]:
    """The word pieces of a folder, by id, with the tokens that were added to them.

    Rows without a word (beyond the file's last entry, blank, or repeated, of which the last counts
    as in transformers) get names that no text can contain.

    Args:
        folder: a folder with vocab.txt, or a tokenizer.json with word pieces.
        size: rows of the token embedding, if known.

    Raises:
        KerasuiteError: if there is no vocabulary, it lacks one of `SPECIAL`, or there are more
            entries than `size`.
    """
    path = folder / VOCABULARY
    if path.is_file():
        words = _lines(path, size)
    elif (path := folder / TOKENIZER).is_file():
        words = _of_tokenizer(path)
    else:
        raise KerasuiteError(f"{folder}: has neither {VOCABULARY} nor {TOKENIZER}; fetch it again")
    words = _with_added(words, added_tokens(folder))
    _check(path, words)
    if size and len(words) > size:
        raise KerasuiteError(
            f"{path}: has {len(words):,} word pieces, the model only {size:,}; they do not belong "
            f"together: fetch both again"
        )
    return _name_all(words + [""] * (size - len(words)))


def read_vocabulary_file(path: Path) -> list[str]:
    """The word pieces of a vocab.txt, checked like those of a folder."""
    words = _lines(path)
    _check(path, words)
    return _name_all(words)


def _lines(path: Path, size: int = 0) -> list[str]:
    """Lines end at a line feed only: other separators are entries of some vocabularies."""
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise KerasuiteError(f"{path}: is no UTF-8 text ({error}); fetch it again") from error
    if text.startswith(BYTE_ORDER_MARK):
        warn(f"{path}: begins with a byte-order mark, which is left out")
        text = text.removeprefix(BYTE_ORDER_MARK)
    words = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    while words and not words[-1] and len(words) > size:
        words.pop()
    return _without_unreachable(path, words)


def _without_unreachable(path: Path, words: list[str]) -> list[str]:
    """The entries, "" for those that are repeated further down, as no text reaches them."""
    last = {word: number for number, word in enumerate(words)}
    kept = [word if last[word] == number else "" for number, word in enumerate(words)]
    lost = [number for number, word in enumerate(kept) if not word]
    if lost:
        first = lost[0]
        what = f"'{words[first]}', which is repeated" if words[first] else "blank"
        warn(
            f"{path}: {len(lost):,} lines are blank or repeated, first line {first + 1} ({what}); "
            f"no text reaches their rows"
        )
    return kept


def _of_tokenizer(path: Path) -> list[str]:
    model = read_json_object(path).get("model")
    if not isinstance(model, dict) or model.get("type") != "WordPiece":
        found = model.get("type") if isinstance(model, dict) else None
        raise KerasuiteError(
            f"{path}: holds a tokenizer of type {found}, not WordPiece; give another checkpoint"
        )
    numbers = model.get("vocab")
    if not isinstance(numbers, dict) or not numbers:
        raise KerasuiteError(f"{path}: has no word pieces in it; fetch it again")
    words = {token_number(path, word, number): word for word, number in numbers.items()}
    return [one_line(words.get(number, "")) for number in range(max(words) + 1)]


def _with_added(words: list[str], added: dict[int, str]) -> list[str]:
    """The word pieces, with tokens in rows that have no word of their own."""
    last = max(added, default=-1)
    words = words + [""] * (last + 1 - len(words))
    known = {*words}
    new = {
        number: word for number, word in added.items() if not words[number] and word not in known
    }
    for number, word in new.items():
        words[number] = word
    marks = [word for word in new.values() if not word.isalnum()]
    if marks:
        warn(
            f"{len(marks):,} added tokens, such as '{marks[0]}', keep their rows, but are not "
            f"looked for in texts, which are cut at their punctuation"
        )
    return words


def _name_all(words: list[str]) -> list[str]:
    """Names entries without a word like BERT's own "[unused99]"."""
    taken = set(words)
    return [word or _unused(number, taken) for number, word in enumerate(words)]


def _unused(number: int, taken: set[str]) -> str:
    name = f"[unused{number}]"
    return name if name not in taken else f"[unused-row-{number}]"


def _check(path: Path, words: list[str]) -> None:
    missing = [word for word in SPECIAL if word not in words]
    if missing:
        raise KerasuiteError(
            f"{path}: has no {', '.join(missing)}; it is no vocabulary of BERT: give another file"
        )
    # The encoder treats every 0 as padding.
    if words[0] != SPECIAL[0]:
        raise KerasuiteError(
            f"{path}: {SPECIAL[0]} is number {words.index(SPECIAL[0])}, but must be the first; "
            f"give another checkpoint"
        )


def vocabulary_text(words: list[str]) -> str:
    """The content of vocab.txt."""
    return "".join(f"{word}\n" for word in words)

"""Vocabulary and tokenizer settings in a checkpoint's folder."""

from collections import Counter
from pathlib import Path
from typing import Any

from apps.bert.checkpoint.checkpoint import TokenizerSettings
from apps.bert.checkpoint.config_json import read_json
from shared.common.errors import KerasuiteError
from shared.text.wordpiece_tokenizer import WordPieceTokenizer

VOCABULARY = "vocab.txt"
TOKENIZER = "tokenizer.json"
SETTINGS = "tokenizer_config.json"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

# Names of WordPiece tokenizers in tokenizer_config.json; the last two are used for other
# tokenizers as well.
WORD_PIECE = (
    "BertTokenizer",
    "BertTokenizerFast",
    "DistilBertTokenizer",
    "DistilBertTokenizerFast",
    "PreTrainedTokenizerFast",
    "TokenizersBackend",
)

# Names of the settings in tokenizer_config.json, and in tokenizer.json's normalizer.
CONFIG_KEYS = {
    "lowercase": "do_lower_case",
    "strip_accents": "strip_accents",
    "chinese": "tokenize_chinese_chars",
}
NORMALIZER_KEYS = {
    "lowercase": "lowercase",
    "strip_accents": "strip_accents",
    "chinese": "handle_chinese_chars",
}

# === Vocabulary ===


def read_vocabulary(folder: Path, size: int = 0) -> list[str]:
    """The word pieces of a folder, by id.

    Args:
        folder: a folder with vocab.txt, or a tokenizer.json with word pieces.
        size: rows of the token embedding, if known; rows beyond the file's last entry get names
            that no text can contain.

    Raises:
        KerasuiteError: if there is no vocabulary, it lacks one of `SPECIAL`, an entry is empty or
            repeated, or there are more than `size`.
    """
    path = folder / VOCABULARY
    if path.is_file():
        words = _lines(path)
    elif (path := folder / TOKENIZER).is_file():
        words = _of_tokenizer(path)
    else:
        raise KerasuiteError(f"{folder}: has neither {VOCABULARY} nor {TOKENIZER}; fetch it again")
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
    return words


def _lines(path: Path) -> list[str]:
    """Lines end at a line feed only: other separators are entries of some vocabularies."""
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise KerasuiteError(f"{path}: is no UTF-8 text ({error}); fetch it again") from error
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def _of_tokenizer(path: Path) -> list[str]:
    model = read_json(path).get("model")
    if not isinstance(model, dict) or model.get("type") != "WordPiece":
        found = model.get("type") if isinstance(model, dict) else None
        raise KerasuiteError(
            f"{path}: holds a tokenizer of type {found}, not WordPiece; give another checkpoint"
        )
    numbers = {number: word for word, number in (model.get("vocab") or {}).items()}
    if not numbers:
        raise KerasuiteError(f"{path}: has no word pieces in it; fetch it again")
    return _name_all([numbers.get(number, "") for number in range(max(numbers) + 1)])


def _name_all(words: list[str]) -> list[str]:
    """Names entries without a word like BERT's own "[unused99]"."""
    taken = set(words)
    return [word or _unused(number, taken) for number, word in enumerate(words)]


def _unused(number: int, taken: set[str]) -> str:
    name = f"[unused{number}]"
    return name if name not in taken else f"[unused-row-{number}]"


def _check(path: Path, words: list[str]) -> None:
    for word, count in Counter(words).items():
        if count > 1 or not word:
            raise KerasuiteError(
                f"{path}: {word!r} occurs {count} times; each word piece must occur once, "
                f"none may be empty: fetch it again"
            )
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


# === Settings ===


def read_settings(folder: Path, vocabulary: list[str]) -> TokenizerSettings:
    """The tokenizer's settings: of tokenizer_config.json, else tokenizer.json, else guessed.

    Raises:
        KerasuiteError: for a tokenizer that is not BERT's.
    """
    found: dict[str, Any] = {}
    if (path := folder / TOKENIZER).is_file():
        found |= _known(path, read_json(path).get("normalizer") or {}, NORMALIZER_KEYS)
    if (path := folder / SETTINGS).is_file():
        values = read_json(path)
        _check_tokenizer(path, values)
        found |= _known(path, values, CONFIG_KEYS)
    found.setdefault("lowercase", guess_lowercase(vocabulary))
    return TokenizerSettings(**found)


def _known(path: Path, values: dict[str, Any], keys: dict[str, str]) -> dict[str, Any]:
    found = {ours: values[theirs] for ours, theirs in keys.items() if theirs in values}
    for name, value in found.items():
        if not isinstance(value, bool | None):
            raise KerasuiteError(
                f"{path}: {keys[name]} is {value!r}; it must be true, false or null"
            )
    # null means not specified.
    return {name: value for name, value in found.items() if value is not None}


def _check_tokenizer(path: Path, values: dict[str, Any]) -> None:
    name = values.get("tokenizer_class") or WORD_PIECE[0]
    if name not in WORD_PIECE:
        raise KerasuiteError(
            f"{path}: tokenizer_class '{name}' is not BERT's word pieces; give another checkpoint"
        )
    if values.get("do_basic_tokenize") is False:
        raise KerasuiteError(
            f"{path}: do_basic_tokenize false is not supported; give another checkpoint"
        )


def make_tokenizer(vocabulary: list[str], settings: TokenizerSettings) -> WordPieceTokenizer:
    """The tokenizer of a vocabulary and its settings."""
    return WordPieceTokenizer(
        vocabulary, settings.lowercase, settings.strip_accents, settings.chinese
    )


def settings_of(tokenizer: WordPieceTokenizer) -> TokenizerSettings:
    """The settings of a tokenizer."""
    return TokenizerSettings(
        tokenizer.lowercase, tokenizer.strip_accents, tokenizer.tokenize_chinese_chars
    )


def guess_lowercase(vocabulary: list[str]) -> bool:
    """Whether no word piece has a capital letter, so that capitals can only be lower-cased."""
    return not any(
        word != word.lower() and not (word.startswith("[") and word.endswith("]"))
        for word in vocabulary
    )


# === Writing ===


def vocabulary_text(words: list[str]) -> str:
    """The content of vocab.txt."""
    return "".join(f"{word}\n" for word in words)


def settings_json(settings: TokenizerSettings, max_length: int) -> dict[str, Any]:
    """The content of tokenizer_config.json; `max_length` is the number of positions."""
    pad, unknown, first, separator, mask = SPECIAL
    return {
        "tokenizer_class": WORD_PIECE[0],
        **{theirs: getattr(settings, ours) for ours, theirs in CONFIG_KEYS.items()},
        "model_max_length": max_length,
        "pad_token": pad,
        "unk_token": unknown,
        "cls_token": first,
        "sep_token": separator,
        "mask_token": mask,
    }

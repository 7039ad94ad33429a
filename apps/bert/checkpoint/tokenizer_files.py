"""Settings of the tokenizer in a checkpoint's folder."""

from pathlib import Path
from typing import Any

from apps.bert.checkpoint.checkpoint import TokenizerSettings
from apps.bert.checkpoint.vocabulary_files import SPECIAL
from shared.common.errors import KerasuiteError
from shared.common.files import read_json_object
from shared.text.added_tokens import SETTINGS, TOKENIZER
from shared.text.wordpiece_tokenizer import WordPieceTokenizer

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

# === Settings ===


def read_settings(folder: Path, vocabulary: list[str]) -> TokenizerSettings:
    """The tokenizer's settings: of tokenizer_config.json, else tokenizer.json, else guessed.

    Raises:
        KerasuiteError: for a tokenizer that is not BERT's.
    """
    found: dict[str, Any] = {}
    if (path := folder / TOKENIZER).is_file():
        normalizer = read_json_object(path).get("normalizer") or {}
        if not isinstance(normalizer, dict):
            raise KerasuiteError(f"{path}: its normalizer is no object; fetch it again")
        found |= _known(path, normalizer, NORMALIZER_KEYS)
    if (path := folder / SETTINGS).is_file():
        values = read_json_object(path)
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

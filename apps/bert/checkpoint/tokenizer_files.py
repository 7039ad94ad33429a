"""Settings of the tokenizer in a checkpoint's folder."""

import json
from pathlib import Path
from typing import Any

import sentencepiece

from apps.bert import byte_level_tokenizer, sentence_piece_tokenizer
from apps.bert.byte_level_tokenizer import ByteLevelTokenizer
from apps.bert.checkpoint.checkpoint import Checkpoint, TokenizerSettings
from apps.bert.checkpoint.vocabulary_files import (
    SPECIAL,
    VOCABULARY,
    read_vocabulary,
    vocabulary_text,
)
from apps.bert.sentence_piece_tokenizer import SentencePieceTokenizer
from shared.common.errors import KerasuiteError
from shared.common.files import read_json_object
from shared.text.added_tokens import SETTINGS, TOKENIZER
from shared.text.byte_level_files import (
    MERGES,
    ByteLevelVocabulary,
    byte_level_contents,
    read_byte_level,
)
from shared.text.wordpiece_tokenizer import WordPieceTokenizer

Tokenizer = WordPieceTokenizer | ByteLevelTokenizer | SentencePieceTokenizer
PIECES = "spiece.model"
# Files of a tokenizer in a run folder.
FILES = (VOCABULARY, PIECES, *byte_level_contents(ByteLevelVocabulary([], [])), SETTINGS)

# Names of WordPiece tokenizers in tokenizer_config.json; the last two are used for other
# tokenizers as well.
WORD_PIECE = (
    "BertTokenizer",
    "BertTokenizerFast",
    "DistilBertTokenizer",
    "DistilBertTokenizerFast",
    "ElectraTokenizer",
    "ElectraTokenizerFast",
    "PreTrainedTokenizerFast",
    "TokenizersBackend",
)

BYTE_LEVEL = (
    "RobertaTokenizer", "RobertaTokenizerFast", "PreTrainedTokenizerFast", "TokenizersBackend",
)  # fmt: skip

ALBERT = ("AlbertTokenizer", "AlbertTokenizerFast", "TokenizersBackend")

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


def make_tokenizer(checkpoint: Checkpoint) -> Tokenizer:
    """The tokenizer of a checkpoint."""
    if checkpoint.merges:
        return ByteLevelTokenizer(
            ByteLevelVocabulary(checkpoint.vocabulary, list(checkpoint.merges))
        )
    settings = checkpoint.settings
    if checkpoint.pieces:
        accents = settings.lowercase if settings.strip_accents is None else settings.strip_accents
        return SentencePieceTokenizer(checkpoint.pieces, settings.lowercase, accents)
    return WordPieceTokenizer(
        checkpoint.vocabulary, settings.lowercase, settings.strip_accents, settings.chinese
    )


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a run folder."""
    if (folder / MERGES).is_file():
        return ByteLevelTokenizer(read_byte_level(folder))
    if (folder / PIECES).is_file():
        settings = read_piece_settings(folder)
        pieces = (folder / PIECES).read_bytes()
        return SentencePieceTokenizer(pieces, settings.lowercase, bool(settings.strip_accents))
    vocabulary = read_vocabulary(folder)
    settings = read_settings(folder, vocabulary)
    return WordPieceTokenizer(
        vocabulary, settings.lowercase, settings.strip_accents, settings.chinese
    )


def tokenizer_contents(folder: Path) -> dict[str, bytes]:
    """The content of the files of a run's tokenizer, by name."""
    return {name: (folder / name).read_bytes() for name in FILES if (folder / name).is_file()}


def read_byte_level_tokens(folder: Path, size: int, pad: int) -> ByteLevelVocabulary:
    """The tokens of a RoBERTa, with the padding and the first token at each other's number.

    Args:
        folder: a folder of Hugging Face.
        size: rows of the token embedding.
        pad: id of the padding.

    Raises:
        KerasuiteError: for a tokenizer that is not RoBERTa's.
    """
    if (path := folder / SETTINGS).is_file():
        values = read_json_object(path)
        name = values.get("tokenizer_class") or BYTE_LEVEL[0]
        if name not in BYTE_LEVEL:
            raise KerasuiteError(
                f"{path}: tokenizer_class '{name}' is not RoBERTa's; give another checkpoint"
            )
        if values.get("add_prefix_space"):
            raise KerasuiteError(
                f"{path}: add_prefix_space true is not supported; give another checkpoint"
            )
    names, merges = read_byte_level(folder, size)
    missing = [name for name in byte_level_tokenizer.SPECIAL_TOKENS if name not in names]
    if missing or names[pad] != byte_level_tokenizer.PAD:
        raise KerasuiteError(
            f"{folder}: its tokens have no {', '.join(missing) or f'<pad> at number {pad}'}; they "
            f"are not RoBERTa's: give another checkpoint"
        )
    names[0], names[pad] = names[pad], names[0]
    return ByteLevelVocabulary(names, merges)


def read_pieces(folder: Path, size: int) -> tuple[bytes, list[str]]:
    """The SentencePiece model of an ALBERT, and the names of its tokens.

    Args:
        folder: a folder of Hugging Face.
        size: rows of the token embedding.

    Raises:
        KerasuiteError: if there is none, or it has another number of tokens.
    """
    path = folder / PIECES
    if not path.is_file():
        raise KerasuiteError(f"{folder}: has no {PIECES}, the tokens of an ALBERT; fetch it too")
    library, model = sentencepiece.SentencePieceProcessor(), path.read_bytes()
    try:
        library.LoadFromSerializedProto(model)
    except RuntimeError as error:
        raise KerasuiteError(
            f"{path}: is damaged, or no SentencePiece model; fetch it again"
        ) from error
    if library.vocab_size() != size:
        raise KerasuiteError(
            f"{path}: has {library.vocab_size():,} tokens, the model {size:,}; they do not belong "
            f"together: fetch both again"
        )
    return model, library.id_to_piece(list(range(size)))


def read_piece_settings(folder: Path) -> TokenizerSettings:
    """The settings of the tokenizer of an ALBERT."""
    path = folder / SETTINGS
    values = read_json_object(path) if path.is_file() else {}
    name = values.get("tokenizer_class") or ALBERT[0]
    if name not in ALBERT:
        raise KerasuiteError(
            f"{path}: tokenizer_class '{name}' is not ALBERT's; give another checkpoint"
        )
    lowercase, keep_accents = values.get("do_lower_case", True), values.get("keep_accents", False)
    return TokenizerSettings(bool(lowercase), not keep_accents, chinese=False)


def settings_of(tokenizer: WordPieceTokenizer) -> TokenizerSettings:
    """The settings of a tokenizer of word pieces."""
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


def tokenizer_assets(tokenizer: Tokenizer, max_length: int = 512) -> dict[str, str]:
    """Vocabulary and settings files of a tokenizer in Hugging Face's format, texts by name."""
    if isinstance(tokenizer, WordPieceTokenizer):
        values = settings_json(settings_of(tokenizer), max_length)
        contents = {VOCABULARY: vocabulary_text(tokenizer.vocabulary)}
    elif isinstance(tokenizer, SentencePieceTokenizer):
        values = {
            "tokenizer_class": ALBERT[0],
            "do_lower_case": tokenizer.lowercase,
            "keep_accents": not tokenizer.strip_accents,
            "model_max_length": max_length,
            **_special_names(*sentence_piece_tokenizer.SPECIAL_TOKENS),
        }
        contents = {}
    else:
        values = byte_level_settings(max_length)
        found = byte_level_contents(tokenizer.byte_level_vocabulary)
        contents = {name: content.decode() for name, content in found.items()}
    return contents | {SETTINGS: json.dumps(values, indent=2) + "\n"}


def byte_level_settings(max_length: int) -> dict[str, Any]:
    """The content of tokenizer_config.json for RoBERTa; `max_length` as for `settings_json`."""
    pad, unknown, first, separator, mask = byte_level_tokenizer.SPECIAL_TOKENS
    return {
        "tokenizer_class": BYTE_LEVEL[0],
        "add_prefix_space": False,
        "model_max_length": max_length,
        **_special_names(pad, unknown, first, separator, mask),
    }


def _special_names(pad: str, unknown: str, first: str, separator: str, mask: str) -> dict[str, str]:
    return {
        "pad_token": pad,
        "unk_token": unknown,
        "cls_token": first,
        "sep_token": separator,
        "mask_token": mask,
    }


def settings_json(settings: TokenizerSettings, max_length: int) -> dict[str, Any]:
    """The content of tokenizer_config.json; `max_length` is the number of positions."""
    return {
        "tokenizer_class": WORD_PIECE[0],
        **{theirs: getattr(settings, ours) for ours, theirs in CONFIG_KEYS.items()},
        "model_max_length": max_length,
        **_special_names(*SPECIAL),
    }

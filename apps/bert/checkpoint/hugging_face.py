"""Folders of Hugging Face: config.json, vocab.txt, tokenizer_config.json, model.safetensors."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from apps.bert.checkpoint.checkpoint import Checkpoint, TokenizerSettings
from apps.bert.checkpoint.config_json import (
    model_type,
    padding,
    to_encoder_config,
    to_json,
    vocabulary_size,
)
from apps.bert.checkpoint.names import (
    OPTIONAL,
    POSITION_EMBEDDINGS,
    SEGMENT_EMBEDDINGS,
    TIED,
    WORD_EMBEDDINGS,
    albert_name,
    canonical_name,
    distilbert_name,
    electra_name,
    roberta_name,
)
from apps.bert.checkpoint.sentence_transformers import read_sentence_vectors
from apps.bert.checkpoint.tokenizer_files import (
    read_byte_level_tokens,
    read_piece_settings,
    read_pieces,
    read_settings,
    settings_json,
)
from apps.bert.checkpoint.vocabulary_files import (
    VOCABULARY,
    read_vocabulary,
    vocabulary_text,
)
from apps.bert.checkpoint.weights import encoder_tensors, heads_tensors, whole_config
from apps.bert.encoder_config import EncoderConfig
from shared.common.checkpoint_tensors import LazyTensors
from shared.common.errors import KerasuiteError
from shared.common.files import atomic_folder, read_json_object
from shared.common.safetensors_files import WEIGHTS, read_tensors, write_tensors
from shared.text.added_tokens import SETTINGS

if TYPE_CHECKING:
    from apps.bert.encoder import BertEncoder

CONFIG = "config.json"
RENAMED = {
    "albert": albert_name,
    "distilbert": distilbert_name,
    "electra": electra_name,
    "roberta": roberta_name,
}


def read_hugging_face(folder: Path, source: str = "") -> Checkpoint:
    """Reads a folder of a model of BERT's kind; the weights are read when accessed.

    A DistilBERT has no segments: it gets segment embeddings of zeros.

    Args:
        folder: the folder.
        source: its name in messages; by default its path.

    Raises:
        KerasuiteError: if a file is missing, damaged, or of a model that is not supported.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise KerasuiteError(f"{folder}: has no {CONFIG}; fetch it again")
    values = read_json_object(path)
    config = to_encoder_config(path, values)
    size, family = vocabulary_size(path, values), model_type(path, values)
    pieces, merges = b"", ()
    if family == "roberta":
        pad = padding(path, values)
        tokens = read_byte_level_tokens(folder, size, pad)
        vocabulary, merges = _without_gaps(tokens.names), tuple(tokens.merges)
        settings = TokenizerSettings(lowercase=False, strip_accents=False, chinese=False)
        readers = _roberta_readers(_readers(folder, family, config), pad)
    elif family == "albert":
        pieces, vocabulary = read_pieces(folder, size)
        settings = read_piece_settings(folder)
        readers = _readers(folder, family, config)
    else:
        vocabulary = read_vocabulary(folder, size)
        settings = read_settings(folder, vocabulary)
        readers = _readers(folder, family, config)
    return Checkpoint(
        config,
        vocabulary,
        settings,
        LazyTensors(readers),
        source or str(folder),
        read_sentence_vectors(folder),
        merges,
        folder,
        pieces,
    )


def _without_gaps(names: list[str]) -> list[str]:
    """Names for the ids that have none, which no text gives."""
    return [name or f"<unused{number}>" for number, name in enumerate(names)]


def _roberta_readers(readers: dict[str, Callable], pad: int) -> dict[str, Callable]:
    """The readers with the rows of tokens and positions as they are here.

    The padding is the first token and the first one stands in its place; positions begin at 0.

    Args:
        readers: functions that read the tensors.
        pad: id of the padding there.
    """

    def swapped(read: Callable) -> Callable:
        def read_swapped() -> np.ndarray:
            rows = read().copy()
            rows[[0, pad]] = rows[[pad, 0]]
            return rows

        return read_swapped

    names = (WORD_EMBEDDINGS, *TIED, *TIED.values())
    found = {name: swapped(read) if name in names else read for name, read in readers.items()}
    if (read := found.get(POSITION_EMBEDDINGS)) is not None:
        found[POSITION_EMBEDDINGS] = lambda: read()[pad + 1 :]
    return found


def _readers(
    folder: Path, family: str, config: EncoderConfig
) -> dict[str, Callable[[], np.ndarray]]:
    """Functions that read the tensors, by the names of `names.py`."""
    rename = RENAMED.get(family, canonical_name)
    readers = {rename(name): reader for name, reader in read_tensors(folder).items()}
    for name, second in TIED.items():
        if second in readers:
            readers.setdefault(name, readers[second])
    if family == "distilbert":
        zeros = np.zeros((config.num_segments, config.hidden_dim), np.float32)
        readers[SEGMENT_EMBEDDINGS] = lambda: zeros
    return readers


def save_hugging_face(
    folder: Path,
    encoder: "BertEncoder",
    vocabulary: list[str],
    settings: TokenizerSettings,
    heads: Any = None,
) -> None:
    """Writes an encoder as a folder that Hugging Face's transformers reads.

    Args:
        folder: a new folder.
        encoder: the encoder; pruned and factorised weights are restored, see `encoder_tensors`.
        vocabulary: its word pieces.
        settings: settings of its tokenizer.
        heads: pretraining heads, see `weights.load_pretraining_heads`, or None.

    Raises:
        KerasuiteError: if the folder exists already.
    """
    tensors = encoder_tensors(encoder)
    if heads is not None:
        tensors |= heads_tensors(heads)
    write_folder(folder, whole_config(encoder), vocabulary, settings, tensors)


def write_folder(
    folder: Path,
    config: EncoderConfig,
    vocabulary: list[str],
    settings: TokenizerSettings,
    tensors: Mapping[str, np.ndarray],
) -> None:
    """Writes a folder atomically.

    Args:
        folder: a new folder.
        config: configuration of the encoder.
        vocabulary: its word pieces.
        settings: settings of its tokenizer.
        tensors: tensors by the names of `names.py`.

    Raises:
        KerasuiteError: if the folder exists already.
    """
    architecture = _architecture(tensors)
    # Only the encoder alone has names without a prefix.
    prefix = "" if architecture == "BertModel" else "bert."
    named = {name if name.startswith("cls.") else prefix + name: tensors[name] for name in tensors}
    files = {
        CONFIG: _json(to_json(config, len(vocabulary), architecture)),
        SETTINGS: _json(settings_json(settings, config.max_positions)),
        VOCABULARY: vocabulary_text(vocabulary),
    }
    try:
        with atomic_folder(folder) as temporary:
            write_tensors(temporary / WEIGHTS, named)
            for name, text in files.items():
                (temporary / name).write_bytes(text.encode())
    except FileExistsError:
        raise KerasuiteError(
            f"{folder}: exists already; remove it or choose another --output"
        ) from None


def _architecture(tensors: Mapping[str, np.ndarray]) -> str:
    """The class of transformers with exactly these tensors."""
    masked_lm, next_sentence = (
        any(name.startswith(OPTIONAL[part]) for name in tensors)
        for part in ("masked-LM head", "next-sentence head")
    )
    if masked_lm:
        return "BertForPreTraining" if next_sentence else "BertForMaskedLM"
    return "BertForNextSentencePrediction" if next_sentence else "BertModel"


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"

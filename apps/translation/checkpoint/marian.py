"""Folders of Hugging Face with a Marian model: config.json, weights, vocab.json and two .spm."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import sentencepiece

from apps.translation.checkpoint.config_json import (
    MarianConfig,
    to_config,
    to_generation_json,
    to_json,
)
from apps.translation.checkpoint.weights import has_one_embedding
from apps.translation.marian_tokenizer import MarianTokenizer, MarianVocabulary
from shared.common import safetensors_files as safetensors
from shared.common.checkpoint_folders import CONFIG, checkpoint_folder, write_checkpoint
from shared.common.checkpoint_tensors import LazyTensors
from shared.common.errors import KerasuiteError
from shared.common.files import read_json_object
from shared.common.weights_origin import CARD, origin_of
from shared.text.added_tokens import SETTINGS, token_number

GENERATION = "generation_config.json"
VOCABULARY, TARGET_VOCABULARY = "vocab.json", "target_vocab.json"
SOURCE, TARGET = "source.spm", "target.spm"
# Nothing else is downloaded, above all no pickle.
FILES = (
    CARD, CONFIG, GENERATION, SETTINGS, VOCABULARY, TARGET_VOCABULARY, SOURCE, TARGET,
    *safetensors.FILES,
)  # fmt: skip
# Names of special tokens.
PAD, UNK, END = "<pad>", "<unk>", "</s>"


class MarianCheckpoint(NamedTuple):
    """Configuration, vocabularies and weights of a Marian model.

    Attributes:
        config: its settings.
        languages: of source and target; "" where the files do not say.
        models: the two SentencePiece models.
        vocabularies: the tokens of both sides.
        tensors: float32 arrays by their names.
        source: the name that the user gave.
        origin: see `origin_of`.
    """

    config: MarianConfig
    languages: tuple[str, str]
    models: tuple[bytes, bytes]
    vocabularies: tuple[MarianVocabulary, MarianVocabulary]
    tensors: Mapping[str, np.ndarray]
    source: str
    origin: dict[str, str]


def read_checkpoint(source: str, offline: bool = False) -> MarianCheckpoint:
    """Reads a checkpoint; the weights are read when accessed.

    Args:
        source: a folder, or "hf:ORG/NAME[@REVISION]".
        offline: see `fetch`.

    Raises:
        KerasuiteError: if it is none, or damaged or not supported.
    """
    folder = checkpoint_folder(source, FILES, offline)
    path = folder / CONFIG
    config = to_config(path, read_json_object(path), _optional(folder / GENERATION))
    settings = _optional(folder / SETTINGS)
    tensors = LazyTensors(safetensors.read_tensors(folder))
    config = config._replace(is_shared=config.is_shared and has_one_embedding(tensors))
    models = _model(folder / SOURCE), _model(folder / TARGET)
    vocabularies, origin = _vocabularies(folder, config), origin_of(source, folder)
    languages = _languages(settings)
    return MarianCheckpoint(config, languages, models, vocabularies, tensors, source, origin)


def _optional(path: Path) -> dict[str, Any]:
    return read_json_object(path) if path.is_file() else {}


def _languages(settings: Mapping[str, Any]) -> tuple[str, str]:
    names = (settings.get(f"{side}_lang") for side in ("source", "target"))
    source, target = (name if isinstance(name, str) else "" for name in names)
    return source, target


def _model(path: Path) -> bytes:
    if not path.is_file():
        raise KerasuiteError(f"{path.parent}: has no {path.name}; fetch it too")
    model = path.read_bytes()
    try:
        sentencepiece.SentencePieceProcessor().LoadFromSerializedProto(model)
    except RuntimeError as error:
        raise KerasuiteError(
            f"{path}: is damaged, or no SentencePiece model; fetch it again"
        ) from error
    return model


def _vocabularies(folder: Path, config: MarianConfig) -> tuple[MarianVocabulary, MarianVocabulary]:
    source = _vocabulary(folder / VOCABULARY, config.source_size)
    target = source
    if (folder / TARGET_VOCABULARY).is_file() and not config.is_shared:
        target = _vocabulary(folder / TARGET_VOCABULARY, config.target_size)
    if (target.pad, target.end) != (config.pad, config.end):
        raise KerasuiteError(
            f"{folder}: {PAD} and {END} are the tokens {target.pad} and {target.end} of the "
            f"vocabulary, but {config.pad} and {config.end} of {CONFIG}; they do not belong "
            f"together: fetch both again"
        )
    return source, target


def _vocabulary(path: Path, size: int) -> MarianVocabulary:
    if not path.is_file():
        raise KerasuiteError(f"{path.parent}: has no {path.name}; fetch it too")
    numbers = read_json_object(path)
    words = {token_number(path, word, number): word for word, number in numbers.items()}
    last = max(words, default=-1)
    if last >= size:
        raise KerasuiteError(
            f"{path}: has {last + 1:,} tokens, the model only {size:,}; they do not belong "
            f"together: fetch both again"
        )
    for name in (PAD, UNK, END):
        if name not in numbers:
            raise KerasuiteError(f"{path}: has no token {name}; fetch it again")
    names = [words.get(number, "") for number in range(size)]
    return MarianVocabulary(names, numbers[PAD], numbers[UNK], numbers[END])


def write_folder(
    folder: Path,
    config: MarianConfig,
    tokenizers: tuple[MarianTokenizer, MarianTokenizer],
    languages: tuple[str, str],
    tensors: Mapping[str, np.ndarray],
) -> None:
    """Writes a folder that Hugging Face's transformers reads, atomically.

    Args:
        folder: a new folder.
        config: of the model.
        tokenizers: of the two sides.
        languages: of the two sides, "" where not known.
        tensors: by the names of `MarianMTModel`.

    Raises:
        KerasuiteError: if the folder exists already.
    """
    source, target = (tokenizer.vocabulary for tokenizer in tokenizers)
    values = {
        CONFIG: to_json(config),
        GENERATION: to_generation_json(config),
        SETTINGS: {
            "tokenizer_class": "MarianTokenizer",
            "source_lang": languages[0],
            "target_lang": languages[1],
            "separate_vocabs": source != target,
            "model_max_length": 512,
        },
        VOCABULARY: _numbers(source),
    }
    if source != target:
        values[TARGET_VOCABULARY] = _numbers(target)
    contents = {SOURCE: tokenizers[0].model, TARGET: tokenizers[1].model}
    write_checkpoint(folder, tensors, values, contents)


def _numbers(vocabulary: MarianVocabulary) -> dict[str, int]:
    return {name: number for number, name in enumerate(vocabulary.names) if name}

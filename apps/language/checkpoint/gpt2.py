"""Folders of Hugging Face with a GPT-2: config.json, model.safetensors, vocab.json, merges.txt."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from apps.language.checkpoint import config_json
from apps.language.checkpoint.config_json import Gpt2Config, to_config, to_json
from apps.language.checkpoint.weights import canonical_name
from shared.common import safetensors_files as safetensors
from shared.common.checkpoint_folders import checkpoint_folder, write_checkpoint
from shared.common.checkpoint_tensors import LazyTensors
from shared.common.files import read_json_object
from shared.common.weights_origin import CARD, origin_of
from shared.text.added_tokens import ADDED, SETTINGS, TOKENIZER
from shared.text.byte_level_files import (
    MERGES,
    VOCABULARY,
    ByteLevelVocabulary,
    byte_level_contents,
    read_byte_level,
)

# Nothing else is downloaded, above all no pickle.
FILES = (
    CARD, config_json.FILE, *safetensors.FILES, VOCABULARY, MERGES, TOKENIZER, SETTINGS, ADDED,
)  # fmt: skip


class Gpt2Checkpoint(NamedTuple):
    """Configuration, vocabulary and weights of a GPT-2.

    Attributes:
        config: its settings.
        vocabulary: its tokens.
        tensors: float32 arrays by the names of the model without its head, see `weights`.
        source: the name that the user gave.
        origin: see `origin_of`.
    """

    config: Gpt2Config
    vocabulary: ByteLevelVocabulary
    tensors: Mapping[str, np.ndarray]
    source: str
    origin: dict[str, str]


def read_checkpoint(source: str, offline: bool = False) -> Gpt2Checkpoint:
    """Reads a checkpoint; the weights are read when accessed.

    Args:
        source: a folder, or "hf:ORG/NAME[@REVISION]".
        offline: see `fetch`.

    Raises:
        KerasuiteError: if it is none, or damaged or not supported.
    """
    folder = checkpoint_folder(source, FILES, offline)
    path = folder / config_json.FILE
    config = to_config(path, read_json_object(path))
    readers = safetensors.read_tensors(folder)
    tensors = LazyTensors({canonical_name(name): read for name, read in readers.items()})
    vocabulary = read_byte_level(folder, config.vocabulary_size)
    return Gpt2Checkpoint(config, vocabulary, tensors, source, origin_of(source, folder))


def write_folder(
    folder: Path,
    config: Gpt2Config,
    vocabulary: ByteLevelVocabulary,
    tensors: Mapping[str, np.ndarray],
) -> None:
    """Writes a folder that Hugging Face's transformers reads, atomically.

    Args:
        folder: a new folder.
        config: of the model.
        vocabulary: its tokens.
        tensors: by the names of `GPT2LMHeadModel`.

    Raises:
        KerasuiteError: if the folder exists already.
    """
    values = {config_json.FILE: to_json(config), SETTINGS: _tokenizer_settings(config, vocabulary)}
    write_checkpoint(folder, tensors, values, byte_level_contents(vocabulary))


def _tokenizer_settings(config: Gpt2Config, vocabulary: ByteLevelVocabulary) -> dict[str, Any]:
    end = vocabulary.names[config.end]
    return {
        "tokenizer_class": "GPT2Tokenizer",
        "add_prefix_space": False,
        "model_max_length": config.positions,
        "bos_token": end,
        "eos_token": end,
        "unk_token": end,
    }

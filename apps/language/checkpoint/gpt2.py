"""Folders of Hugging Face with a GPT-2: config.json, model.safetensors, vocab.json, merges.txt."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from apps.language.checkpoint import config_json
from apps.language.checkpoint.config_json import Gpt2Config, to_config, to_json
from apps.language.checkpoint.weights import canonical_name
from shared.common import safetensors_files as safetensors
from shared.common.checkpoint_tensors import LazyTensors
from shared.common.errors import KerasuiteError
from shared.common.files import atomic_folder, read_json_object
from shared.common.hugging_face_hub import PREFIX, fetch
from shared.text.added_tokens import ADDED, SETTINGS, TOKENIZER
from shared.text.byte_level_files import (
    MERGES,
    VOCABULARY,
    ByteLevelVocabulary,
    read_byte_level,
    write_byte_level,
)

# Nothing else is downloaded, above all no pickle.
FILES = (
    config_json.FILE, *safetensors.FILES, VOCABULARY, MERGES, TOKENIZER, SETTINGS, ADDED,
)  # fmt: skip


class Gpt2Checkpoint(NamedTuple):
    """Configuration, vocabulary and weights of a GPT-2.

    Attributes:
        config: its settings.
        vocabulary: its tokens.
        tensors: float32 arrays by the names of the model without its head, see `weights`.
        source: the name that the user gave.
    """

    config: Gpt2Config
    vocabulary: ByteLevelVocabulary
    tensors: Mapping[str, np.ndarray]
    source: str


def read_checkpoint(source: str) -> Gpt2Checkpoint:
    """Reads a checkpoint; the weights are read when accessed.

    Args:
        source: a folder, or "hf:ORG/NAME[@REVISION]".

    Raises:
        KerasuiteError: if it is none, or damaged or not supported.
    """
    folder = fetch(source, FILES) if source.startswith(PREFIX) else Path(source)
    if folder.is_file():
        if folder.suffix in safetensors.PICKLES:
            raise safetensors.refuse_pickle(folder)
        raise KerasuiteError(f"{folder}: is a file; give its folder")
    if not folder.is_dir():
        raise KerasuiteError(f"{folder}: no such folder; give hf:ORG/NAME or a checkpoint's folder")
    path = folder / config_json.FILE
    if not path.is_file():
        raise KerasuiteError(f"{folder}: has no {path.name}; fetch it too")
    config = to_config(path, read_json_object(path))
    readers = safetensors.read_tensors(folder)
    tensors = LazyTensors({canonical_name(name): read for name, read in readers.items()})
    vocabulary = read_byte_level(folder, config.vocabulary_size)
    return Gpt2Checkpoint(config, vocabulary, tensors, source)


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
    files = {
        config_json.FILE: to_json(config),
        SETTINGS: _tokenizer_settings(config, vocabulary),
    }
    try:
        with atomic_folder(folder) as temporary:
            safetensors.write_tensors(temporary / safetensors.WEIGHTS, tensors)
            write_byte_level(temporary, vocabulary)
            for name, value in files.items():
                text = json.dumps(value, indent=2, ensure_ascii=False)
                (temporary / name).write_text(text + "\n", encoding="utf-8")
    except FileExistsError:
        raise KerasuiteError(
            f"{folder}: exists already; remove it or choose another --output"
        ) from None


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

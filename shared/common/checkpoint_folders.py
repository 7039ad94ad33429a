"""Folders of checkpoints: fetched or opened, and written."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shared.common import safetensors_files as safetensors
from shared.common.errors import KerasuiteError
from shared.common.files import atomic_folder
from shared.common.hugging_face_hub import PREFIX, fetch

CONFIG = "config.json"


def checkpoint_folder(source: str, files: Sequence[str], offline: bool = False) -> Path:
    """The folder of a checkpoint with a config.json.

    Args:
        source: a folder, or "hf:ORG/NAME[@REVISION]", which is downloaded.
        files: names or patterns of the files to download.
        offline: see `fetch`.

    Raises:
        KerasuiteError: if it is no such folder.
    """
    folder = fetch(source, files, offline) if source.startswith(PREFIX) else Path(source)
    if folder.is_file():
        if folder.suffix in safetensors.PICKLES:
            raise safetensors.refuse_pickle(folder)
        raise KerasuiteError(f"{folder}: is a file; give its folder")
    if not folder.is_dir():
        raise KerasuiteError(f"{folder}: no such folder; give hf:ORG/NAME or a checkpoint's folder")
    if not (folder / CONFIG).is_file():
        raise KerasuiteError(f"{folder}: has no {CONFIG}; fetch it too")
    return folder


def write_checkpoint(
    folder: Path,
    tensors: Mapping[str, np.ndarray],
    values: Mapping[str, Any],
    contents: Mapping[str, bytes],
) -> None:
    """Writes a folder that Hugging Face's transformers reads, atomically.

    Args:
        folder: a new folder.
        tensors: of the model, by their names.
        values: content of the files of JSON, by name.
        contents: bytes of other files, by name.

    Raises:
        KerasuiteError: if the folder exists already.
    """
    texts = {
        name: (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
        for name, value in values.items()
    }
    try:
        with atomic_folder(folder) as temporary:
            safetensors.write_tensors(temporary / safetensors.WEIGHTS, tensors)
            for name, content in {**texts, **contents}.items():
                (temporary / name).write_bytes(content)
    except FileExistsError:
        raise KerasuiteError(
            f"{folder}: exists already; remove it or choose another --output"
        ) from None

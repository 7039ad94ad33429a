"""Token ids in one file, which training maps into memory."""

import os
from pathlib import Path

import numpy as np

from shared.common.errors import KerasuiteError

TOKEN = np.dtype("<i4")


def open_tokens(path: str | os.PathLike) -> np.ndarray:
    """Maps a file of little-endian int32 token ids: int32 (N,).

    Raises:
        KerasuiteError: if the file is missing or is no such file.
    """
    path = Path(path)
    if not path.is_file():
        raise KerasuiteError(f"{path}: no such file; start the training again")
    size = path.stat().st_size
    if not size or size % TOKEN.itemsize:
        raise KerasuiteError(
            f"{path}: {size} bytes are no sequence of int32 token ids; start the training again"
        )
    return np.memmap(path, TOKEN, mode="r")

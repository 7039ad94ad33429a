"""Co-occurrence counts on disk, laid out in tiles: what counting writes and training reads.

Words are numbered by falling count. The vocabulary is cut into blocks of neighbouring numbers,
short ones for frequent words and long ones for rare words, so that a tile, the counts of one
block of rows with one block of columns, holds some hundred to some thousand cells nearly
everywhere. All cells of a tile lie together in the file: training turns a tile into a few matrix
products. It moves a word once for all its cells in a tile, so the blocks of the most frequent
words, which every word has cells with, are the shorter the better, as far as speed allows.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from shared.common.errors import KerasuiteError

CELL = np.dtype([("row", "<i4"), ("column", "<i4"), ("value", "<f4")])
MIN_BLOCK, MAX_BLOCK = 16, 2048
# Length of a block as a share of the words before it, rounded up to a power of two.
BLOCK_SHARE = 1 / 32


def block_bounds(vocabulary_size: int) -> np.ndarray:
    """Where the blocks begin and end: int64 (B + 1,), from 0 to the vocabulary's size."""
    bounds = [0]
    while bounds[-1] < vocabulary_size:
        wanted = max(1, int(bounds[-1] * BLOCK_SHARE)).bit_length()
        length = min(max(1 << wanted, MIN_BLOCK), MAX_BLOCK)
        bounds.append(min(bounds[-1] + length, vocabulary_size))
    return np.array(bounds, np.int64)


class CellFile:
    """Counted cells, tile by tile.

    Attributes:
        bounds: int64 (B + 1,), see `block_bounds`.
        offsets: int64 (B, B, 2). Where the cells of each tile begin and end.
        cells: (N,) records of row int32, column int32, value float32, mapped from the file.
    """

    def __init__(self, bounds: np.ndarray, offsets: np.ndarray, cells: np.ndarray):
        self.bounds, self.offsets, self.cells = bounds, offsets, cells

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def num_blocks(self) -> int:
        return len(self.bounds) - 1

    def tile(self, row_block: int, column_block: int) -> np.ndarray:
        """The cells of one tile, none if both numbers do not name blocks."""
        if max(row_block, column_block) >= self.num_blocks:
            return self.cells[:0]
        begin, end = self.offsets[row_block, column_block]
        return self.cells[begin:end]

    @classmethod
    def open(cls, folder: str | os.PathLike) -> "CellFile":
        """Maps a folder that `CellWriter` filled.

        Raises:
            KerasuiteError: if it is missing or not whole.
        """
        folder = Path(folder)
        try:
            bounds = np.load(folder / "bounds.npy", allow_pickle=False)
            offsets = np.load(folder / "offsets.npy", allow_pickle=False)
            size = (folder / "cells.bin").stat().st_size
        except (OSError, ValueError, EOFError) as error:
            raise KerasuiteError(
                f"{folder}: holds no counts of word pairs; start the training anew"
            ) from error
        if size != offsets.max(initial=0) * CELL.itemsize:
            raise KerasuiteError(f"{folder}/cells.bin: is not whole; start the training anew")
        if not size:
            return cls(bounds, offsets, np.empty(0, CELL))
        return cls(bounds, offsets, np.memmap(folder / "cells.bin", CELL, mode="r"))


class CellWriter:
    """Writes the tiles of a cell file one after the other.

    Args:
        folder: path, which must exist.
        bounds: int64 (B + 1,).
    """

    def __init__(self, folder: Path, bounds: np.ndarray):
        self.folder, self.bounds = folder, bounds
        blocks = len(bounds) - 1
        self._offsets = np.zeros((blocks, blocks, 2), np.int64)
        self._position = 0
        self._file = open(folder / "cells.bin", "wb")  # noqa: SIM115 (closed by `close`)

    def write(self, row_block: int, column_block: int, cells: np.ndarray) -> None:
        """Appends all cells of one tile."""
        begin, self._position = self._position, self._position + len(cells)
        self._offsets[row_block, column_block] = begin, self._position
        self._file.write(cells.data)

    def close(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        np.save(self.folder / "bounds.npy", self.bounds)
        np.save(self.folder / "offsets.npy", self._offsets)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder under a fixed temporary name, renamed to `path` on success.

    The name is fixed, so that what a killed process left, possibly gigabytes, is removed by the
    next one.
    """
    temporary = path.with_name(f".partial-{path.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        os.rename(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)

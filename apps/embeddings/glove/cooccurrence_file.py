"""Co-occurrence counts on disk, laid out in tiles: counting writes them and training reads them.

Words are numbered by falling count. The vocabulary is cut into blocks of neighbouring ids, short
ones for frequent words and long ones for rare words. A tile holds the co-occurrences of one block
of rows with one block of columns, nearly everywhere some hundred to some thousand. They lie
together in the file: training turns a tile into a few matrix products. It moves a word once for
all its co-occurrences in a tile, so the blocks of the most frequent words, which co-occur with
every word, are the shorter the better, as far as speed allows.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from shared.common.errors import KerasuiteError

COOCCURRENCE = np.dtype([("row", "<i4"), ("column", "<i4"), ("value", "<f4")])
MIN_BLOCK, MAX_BLOCK = 16, 2048
# Length of a block as a share of the words before it, rounded up to a power of two.
BLOCK_SHARE = 1 / 32
BOUNDS, OFFSETS, COUNTS = "bounds.npy", "offsets.npy", "counts.bin"


def block_bounds(vocabulary_size: int) -> np.ndarray:
    """First id of each block and the vocabulary's size at the end: int64 (B + 1,)."""
    bounds = [0]
    while bounds[-1] < vocabulary_size:
        wanted = max(1, int(bounds[-1] * BLOCK_SHARE)).bit_length()
        length = min(max(1 << wanted, MIN_BLOCK), MAX_BLOCK)
        bounds.append(min(bounds[-1] + length, vocabulary_size))
    return np.array(bounds, np.int64)


class CooccurrenceFile:
    """Co-occurrence counts, tile by tile.

    Attributes:
        bounds: int64 (B + 1,), see `block_bounds`.
        offsets: int64 (B, B, 2). First record of each tile, and the one after its last.
        cooccurrences: (N,) records of row int32, column int32, value float32, mapped from the
            file.
    """

    def __init__(self, bounds: np.ndarray, offsets: np.ndarray, cooccurrences: np.ndarray):
        self.bounds, self.offsets, self.cooccurrences = bounds, offsets, cooccurrences

    def __len__(self) -> int:
        return len(self.cooccurrences)

    @property
    def num_blocks(self) -> int:
        return len(self.bounds) - 1

    def tile(self, row_block: int, column_block: int) -> np.ndarray:
        """Co-occurrences of one tile, none unless both numbers name blocks."""
        if max(row_block, column_block) >= self.num_blocks:
            return self.cooccurrences[:0]
        begin, end = self.offsets[row_block, column_block]
        return self.cooccurrences[begin:end]

    @classmethod
    def open(cls, folder: str | os.PathLike) -> "CooccurrenceFile":
        """Maps a folder that `CooccurrenceWriter` filled.

        Raises:
            KerasuiteError: if it is missing or incomplete.
        """
        folder = Path(folder)
        try:
            bounds = np.load(folder / BOUNDS, allow_pickle=False)
            offsets = np.load(folder / OFFSETS, allow_pickle=False)
            size = (folder / COUNTS).stat().st_size
        except (OSError, ValueError, EOFError) as error:
            raise KerasuiteError(
                f"{folder}: holds no co-occurrence counts; start the training again"
            ) from error
        if size != offsets.max(initial=0) * COOCCURRENCE.itemsize:
            raise KerasuiteError(f"{folder / COUNTS}: is incomplete; start the training again")
        if not size:
            return cls(bounds, offsets, np.empty(0, COOCCURRENCE))
        return cls(bounds, offsets, np.memmap(folder / COUNTS, COOCCURRENCE, mode="r"))


class CooccurrenceWriter:
    """Writes the tiles of a co-occurrence file one after the other.

    Args:
        folder: path of an existing folder.
        bounds: int64 (B + 1,).
    """

    def __init__(self, folder: Path, bounds: np.ndarray):
        self.folder, self.bounds = folder, bounds
        blocks = len(bounds) - 1
        self._offsets = np.zeros((blocks, blocks, 2), np.int64)
        self._end = 0
        self._file = open(folder / COUNTS, "wb")  # noqa: SIM115 (closed by `close`)

    def write(self, row_block: int, column_block: int, cooccurrences: np.ndarray) -> None:
        """Appends one tile.

        Args:
            row_block: int. Number of its block of rows.
            column_block: int. Number of its block of columns.
            cooccurrences: all records of the tile.
        """
        begin, self._end = self._end, self._end + len(cooccurrences)
        self._offsets[row_block, column_block] = begin, self._end
        self._file.write(cooccurrences.data)

    def close(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        np.save(self.folder / BOUNDS, self.bounds)
        np.save(self.folder / OFFSETS, self._offsets)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder under a fixed temporary name, renamed to `path` on success.

    The name is fixed, so that the remains of a killed process, possibly gigabytes, are removed by
    the next one.
    """
    temporary = path.with_name(f".partial-{path.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        os.rename(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)

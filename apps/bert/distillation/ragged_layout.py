"""Arrays of unequal length, concatenated in one file."""

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np


@dataclass(frozen=True)
class RaggedLayout:
    """Offsets of the rows in a file, computed from their lengths, so that no index is kept.

    Attributes:
        lengths: int (N,). Tokens of each row's sequence.
        shape: shape of a row; None stands for its length.
        dtype: name of the data type.
        padding: float. Value beyond the length of a row in a padded batch.
    """

    lengths: np.ndarray
    shape: tuple[int | None, ...]
    dtype: str = "float32"
    padding: float = 0.0

    @functools.cached_property
    def ends(self) -> np.ndarray:
        """int64 (N + 1,). Row i is the numbers from ends[i] to ends[i + 1]."""
        fixed = int(np.prod([size for size in self.shape if size is not None], dtype=np.int64))
        sizes = fixed * self.lengths.astype(np.int64) ** self.shape.count(None)
        return np.concatenate([[0], np.cumsum(sizes)])

    @property
    def nbytes(self) -> int:
        return int(self.ends[-1]) * np.dtype(self.dtype).itemsize

    def write(self, file: BinaryIO, rows: Iterable[int], batch: np.ndarray) -> None:
        """Write rows of a padded batch at their offsets.

        Args:
            file: the file, open for writing.
            rows: indices of the rows.
            batch: the rows, padded: (B, *shape).
        """
        # Not through a memory map: on a full disk that ends the process without a message.
        for row, values in zip(rows, batch, strict=True):
            inside = values[self._inside(self.lengths[row])]
            file.seek(int(self.ends[row]) * np.dtype(self.dtype).itemsize)
            file.write(inside.astype(self.dtype).tobytes())

    def padded(self, numbers: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Rows of a file as a batch (B, *shape), padded to the longest."""
        batch = self._batch(len(rows), int(self.lengths[rows].max(initial=0)))
        for index, row in enumerate(rows):
            length = self.lengths[row]
            values = numbers[self.ends[row] : self.ends[row + 1]]
            batch[index][self._inside(length)] = values.reshape(self._sizes(length))
        return batch

    def empty(self, count: int) -> np.ndarray:
        """A batch of rows of length 0, where the values are not needed."""
        return self._batch(count, 0)

    def _batch(self, count: int, length: int) -> np.ndarray:
        return np.full((count, *self._sizes(length)), self.padding, self.dtype)

    def _sizes(self, length: int) -> tuple[int, ...]:
        return tuple(length if size is None else size for size in self.shape)

    def _inside(self, length: int) -> tuple[slice, ...]:
        return tuple(slice(size) for size in self._sizes(length))

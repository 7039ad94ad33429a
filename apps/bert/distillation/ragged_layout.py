"""Arrays of unequal length, one after the other in one file."""

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np


@dataclass(frozen=True)
class RaggedLayout:
    """Where the rows of a file are: a function of their lengths, so that no index is kept.

    Attributes:
        lengths: int (N,). Tokens of each row's sequence.
        shape: sizes of a row; None stands for its length.
        dtype: name of the type of the numbers.
        padding: float. What stands beyond the length of a row in a padded batch.
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
        """Writes these rows, which stand padded in a batch, to their places."""
        # With the calls of a file: a memory map of a full disk ends the process without a word.
        for row, values in zip(rows, batch, strict=True):
            inside = values[self._inside(self.lengths[row])]
            file.seek(int(self.ends[row]) * np.dtype(self.dtype).itemsize)
            file.write(inside.astype(self.dtype).tobytes())

    def padded(self, numbers: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Rows of the numbers of a file as a batch (B, *shape), as long as the longest."""
        batch = self._batch(len(rows), int(self.lengths[rows].max(initial=0)))
        for place, row in enumerate(rows):
            length = self.lengths[row]
            values = numbers[self.ends[row] : self.ends[row + 1]]
            batch[place][self._inside(length)] = values.reshape(self._sizes(length))
        return batch

    def empty(self, count: int) -> np.ndarray:
        """A batch of rows of no length, where nobody needs them."""
        return self._batch(count, 0)

    def _batch(self, count: int, length: int) -> np.ndarray:
        return np.full((count, *self._sizes(length)), self.padding, self.dtype)

    def _sizes(self, length: int) -> tuple[int, ...]:
        return tuple(length if size is None else size for size in self.shape)

    def _inside(self, length: int) -> tuple[slice, ...]:
        return tuple(slice(size) for size in self._sizes(length))

"""Distance-weighted co-occurrence counts of a corpus in bounded memory.

Two words at distance d count 1/d for each other. Counting is sorting: every pair becomes one
integer, whose order is that of the co-occurrence file, with the distance in its lowest bits:

    block of row | block of column | offset in row's block | offset in column's block | distance

A span of the corpus becomes an array of such keys, is sorted, and the occurrences of a pair, now
neighbours, are summed. Each span's sums are spilled to disk; at last the spills are merged, one
range of keys after the other. Symmetric counts are sorted once for each unordered pair of words and
mirrored as they are written.

Reference: [Pennington et al., 2014](https://aclanthology.org/D14-1162/)
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps.embeddings.glove.cooccurrence_file import (
    COOCCURRENCE,
    CooccurrenceFile,
    CooccurrenceWriter,
    block_bounds,
    new_folder,
)

# NumPy sorts and adds without the interpreter's lock, so that threads share the work.
THREADS = 2
# Memory of a pair while its span is counted, and of a co-occurrence while spills are merged.
BYTES_PER_PAIR, BYTES_PER_COOCCURRENCE = 32, 80
# Positions whose pairs are made at a time: the arrays of one part stay in the cache.
PART = 1 << 15
GIBIBYTE = 1 << 30


class Cooccurrences(NamedTuple):
    """Sums in the order of their keys, without distance: int64 (n,) and float64 (n,)."""

    keys: np.ndarray
    values: np.ndarray


def count_cooccurrences(
    tokens: np.ndarray,
    vocabulary_size: int,
    path: str | os.PathLike,
    window: int = 10,
    symmetric: bool = True,
    memory: float = 1.0,
) -> CooccurrenceFile:
    """Counts once; if `path` is there, it is opened as it is.

    Args:
        tokens: int32 (N,). Word ids with -1 between documents, which no window crosses.
        vocabulary_size: int. Number of words V.
        path: folder for the result.
        window: int. Largest distance of two words.
        symmetric: bool. Whether a word's context lies on both sides or only to the left of it.
        memory: float. GiB to use; what is beyond is spilled to disk.

    Returns:
        The counts: a `value` is the sum of 1 / distance over all occurrences of
        `column` in the context of `row`.
    """
    path = Path(path)
    if not path.exists():
        layout = KeyLayout(block_bounds(vocabulary_size), window, symmetric)
        with new_folder(path) as folder:
            spills = _spill(tokens, layout, folder, int(memory * GIBIBYTE))
            writer = CooccurrenceWriter(folder, layout.bounds)
            for cooccurrences in _merge(spills, layout, int(memory * GIBIBYTE)):
                _write(cooccurrences, layout, writer)
            writer.close()
            for spill in spills:
                spill.remove()
    return CooccurrenceFile.open(path)


class KeyLayout:
    """Packs a pair of words and their distance into an integer, and unpacks it."""

    def __init__(self, bounds: np.ndarray, window: int, symmetric: bool):
        self.bounds, self.window, self.symmetric = bounds, window, symmetric
        self.blocks = len(bounds) - 1
        lengths = np.diff(bounds)
        self.offset_bits = int(lengths.max(initial=1) - 1).bit_length()
        self.distance_bits = window.bit_length()
        words = np.arange(bounds[-1])
        block = np.repeat(np.arange(self.blocks), lengths)
        offset = words - bounds[block]
        # A key is the sum of what its row and what its column add to it.
        of_row = (block * self.blocks << 2 * self.offset_bits) + (offset << self.offset_bits)
        of_column = (block << 2 * self.offset_bits) + offset
        self.of_row = of_row << self.distance_bits
        self.of_column = of_column << self.distance_bits

    def pairs(self, tokens: np.ndarray, begin: int, end: int) -> np.ndarray:
        """Keys of all pairs whose right word is in [begin, end): int64 (n,), unsorted."""
        begin_left = max(0, begin - self.window)
        words = tokens[begin_left:end]
        inside = words >= 0
        document = np.cumsum(~inside)
        rows, columns = self.of_row[words], self.of_column[words]
        found = []
        for distance in range(1, min(self.window, len(words) - 1) + 1):
            left = slice(max(0, begin - begin_left - distance), len(words) - distance)
            right = slice(left.start + distance, len(words))
            keys = rows[right] + columns[left]
            if self.symmetric:
                np.minimum(keys, rows[left] + columns[right], out=keys)
            keys += distance
            together = inside[left] & inside[right] & (document[left] == document[right])
            found.append(keys[together])
        return np.concatenate(found) if found else np.empty(0, np.int64)

    def tile(self, keys: np.ndarray) -> np.ndarray:
        """Row block * B + column block of keys without distance."""
        return keys >> 2 * self.offset_bits

    def unpack(self, tile: int, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of keys of one tile, without distance."""
        mask = (1 << self.offset_bits) - 1
        row_block, column_block = divmod(tile, self.blocks)
        rows = self.bounds[row_block] + (keys >> self.offset_bits & mask)
        return rows, self.bounds[column_block] + (keys & mask)


class Spill:
    """The sorted co-occurrences of one span of the corpus, on disk."""

    def __init__(self, path: Path, cooccurrences: Iterator[Cooccurrences]):
        self._paths = path.with_suffix(".keys"), path.with_suffix(".values")
        with open(self._paths[0], "wb") as keys, open(self._paths[1], "wb") as values:
            for part in cooccurrences:
                keys.write(part.keys.data)
                values.write(part.values.data)
        self._empty = not self._paths[0].stat().st_size

    def open(self) -> Cooccurrences:
        if self._empty:
            return Cooccurrences(np.empty(0, np.int64), np.empty(0, np.float64))
        return Cooccurrences(
            np.memmap(self._paths[0], np.int64, mode="r"),
            np.memmap(self._paths[1], np.float64, mode="r"),
        )

    def remove(self) -> None:
        for path in self._paths:
            path.unlink()


def _spill(tokens: np.ndarray, layout: KeyLayout, folder: Path, memory: int) -> list[Spill]:
    """Counts the corpus span by span, on several threads."""
    pairs = max(1024, memory // (BYTES_PER_PAIR * THREADS))
    span = max(1, min(pairs // layout.window, -(-len(tokens) // THREADS)))
    begins = range(0, max(len(tokens), 1), span)

    def count(begin: int) -> Spill:
        sorted_keys = _sorted_pairs(tokens, layout, begin, min(begin + span, len(tokens)))
        return Spill(folder / f"spill-{begin}", _sum_runs(sorted_keys, layout))

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(count, begins))


def _sorted_pairs(tokens: np.ndarray, layout: KeyLayout, begin: int, end: int) -> np.ndarray:
    pairs = np.empty((end - begin) * layout.window, np.int64)
    filled = 0
    for start in range(begin, end, PART):
        part = layout.pairs(tokens, start, min(start + PART, end))
        pairs[filled : filled + len(part)] = part
        filled += len(part)
    pairs = pairs[:filled]
    pairs.sort()
    return pairs


def _sum_runs(pairs: np.ndarray, layout: KeyLayout) -> Iterator[Cooccurrences]:
    """Sums the weights of equal pairs, which are sorted, part by part."""
    distances = np.arange(1, layout.window + 1)
    weight = np.zeros(1 << layout.distance_bits)
    weight[1 : layout.window + 1] = 1 / distances
    begin = 0
    while begin < len(pairs):
        end = _end_of_run(pairs, begin + (1 << 16), layout.distance_bits)
        part = pairs[begin:end]
        yield _sum_equal(part >> layout.distance_bits, weight[part & len(weight) - 1])
        begin = end


def _end_of_run(pairs: np.ndarray, start: int, distance_bits: int) -> int:
    """The first index from `start` on where another pair begins."""
    if start >= len(pairs):
        return len(pairs)
    next_pair = (pairs[start - 1] >> distance_bits) + 1 << distance_bits
    return int(np.searchsorted(pairs, next_pair))


def _sum_equal(keys: np.ndarray, values: np.ndarray) -> Cooccurrences:
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    return Cooccurrences(keys[starts], np.add.reduceat(values, starts))


def _merge(spills: list[Spill], layout: KeyLayout, memory: int) -> Iterator[Cooccurrences]:
    """The co-occurrences of all spills in order, in ranges of whole tiles."""
    opened = [spill.open() for spill in spills]
    bounds = _range_bounds(opened, layout, max(1024, memory // (BYTES_PER_COOCCURRENCE * THREADS)))

    def merge(index: int) -> Cooccurrences:
        parts = []
        for spill in opened:
            begin, end = np.searchsorted(spill.keys, bounds[index : index + 2])
            parts.append(Cooccurrences(spill.keys[begin:end], spill.values[begin:end]))
        keys = np.concatenate([part.keys for part in parts])
        # A stable sort merges what is sorted already; it also keeps the order of addition.
        order = np.argsort(keys, kind="stable")
        values = np.concatenate([part.values for part in parts])
        return _sum_equal(keys[order], values[order])

    with ThreadPoolExecutor(THREADS) as pool:
        for first in range(0, len(bounds) - 1, THREADS):
            yield from pool.map(merge, range(first, min(first + THREADS, len(bounds) - 1)))


def _range_bounds(opened: list[Cooccurrences], layout: KeyLayout, max_length: int) -> np.ndarray:
    """Keys at which tiles begin, with at most `max_length` co-occurrences between two where
    tiles allow it."""
    firsts = np.arange(layout.blocks**2 + 1) << 2 * layout.offset_bits
    below = sum(
        (np.searchsorted(spill.keys, firsts) for spill in opened), np.zeros(len(firsts), np.int64)
    )
    chosen, last = [0], 0
    while last < len(firsts) - 1:
        end = int(np.searchsorted(below, below[last] + max_length, side="right")) - 1
        last = max(last + 1, end)
        chosen.append(last)
    return firsts[chosen]


def _write(cooccurrences: Cooccurrences, layout: KeyLayout, writer: CooccurrenceWriter) -> None:
    tiles = layout.tile(cooccurrences.keys)
    starts = np.flatnonzero(np.diff(tiles, prepend=-1))
    for begin, end in pairwise([*starts, len(tiles)]):
        tile = int(tiles[begin])
        row_block, column_block = divmod(tile, layout.blocks)
        rows, columns = layout.unpack(tile, cooccurrences.keys[begin:end])
        values = cooccurrences.values[begin:end]
        if not layout.symmetric:
            writer.write(row_block, column_block, _records(rows, columns, values))
        elif row_block != column_block:
            writer.write(row_block, column_block, _records(rows, columns, values))
            writer.write(column_block, row_block, _records(columns, rows, values))
        else:
            writer.write(row_block, row_block, _mirrored(rows, columns, values))


def _mirrored(rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Both halves of a tile on the diagonal; a word beside itself counts for both."""
    itself = rows == columns
    upper = _records(rows, columns, np.where(itself, 2 * values, values))
    lower = _records(columns[~itself], rows[~itself], values[~itself])
    return np.concatenate([upper, lower])


def _records(rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> np.ndarray:
    records = np.empty(len(rows), COOCCURRENCE)
    records["row"], records["column"], records["value"] = rows, columns, values
    return records

"""The order in which GloVe visits co-occurrences: a pure function of (seed, global step).

The tiles of a co-occurrence file form a square of B x B. A *round* visits B tiles of which no two
share a block of rows or of columns: a random permutation of the row blocks against one of the
column blocks, shifted by the number of the round. B rounds visit every tile once. Neighbours in a
round touch different vectors, so that several devices may train on them at the same time and get
what one device gets.

Reference: [Gemulla et al., 2011, Large-Scale Matrix Factorization with Distributed Stochastic
Gradient Descent](https://doi.org/10.1145/2020408.2020426)
"""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from apps.embeddings.glove.cooccurrence_file import CooccurrenceFile
from shared.common import stream

# Tiles that are trained at the same time, and so the largest number of devices of use.
LANES = 4
# A step's graph holds its micro-steps one after the other: more would take long to trace.
MAX_MICRO_STEPS = 4


class StreamShape(NamedTuple):
    """Tiles of a step: `lanes` at the same time, `micro_steps` after each other."""

    lanes: int
    micro_steps: int


def stream_shape(counts: CooccurrenceFile, batch_size: int) -> StreamShape:
    """The shape whose steps have about `batch_size` co-occurrences, fewer where tiles are small.

    A step has at least one micro-step and at most `MAX_MICRO_STEPS`.
    """
    micro_step = LANES * len(counts) / counts.num_blocks**2
    wanted = round(batch_size / max(micro_step, 1))
    return StreamShape(LANES, min(max(wanted, 1), MAX_MICRO_STEPS))


def steps_per_epoch(counts: CooccurrenceFile, shape: StreamShape) -> int:
    """Steps in one pass over all co-occurrences; the last is completed from the next pass."""
    return math.ceil(_micro_steps_per_epoch(counts, shape) / shape.micro_steps)


def cooccurrence_stream(
    counts: CooccurrenceFile,
    shape: StreamShape,
    seed: int,
    start_step: int = 0,
    worker: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """Endless stream of steps with L lanes and M micro-steps.

    Args:
        counts: only the tiles of the steps at hand are read.
        shape: L and M.
        seed: int. Seed of the run.
        start_step: int. Global step of the first batch.
        worker: (index, count). Each worker takes its share of the lanes.

    Returns:
        Dataset of dicts:
            "blocks": int32 (L, M, 4), first row, number of rows, first column and number of
                columns of each tile; no rows and columns where a tile is empty.
            "cooccurrences": ragged int32 (L, M, None, 3), the tile's records as in the file: row,
                column, and the bits of the value.
    """
    begin, end = stream.worker_slice(shape.lanes, worker)

    def read(step):
        first = int(step) * shape.micro_steps
        steps = [_micro_step(counts, shape, seed, first + i) for i in range(shape.micro_steps)]
        tiles = [tiles[lane] for lane in range(begin, end) for tiles in steps]
        blocks = np.array([block for block, _ in tiles], np.int32)
        lengths = np.array([len(records) for _, records in tiles], np.int64)
        return blocks, np.concatenate([records for _, records in tiles]), lengths

    def load(step):
        types = [tf.int32, tf.int32, tf.int64]
        blocks, records, lengths = tf.numpy_function(read, [step], types, stateful=False)
        lanes = end - begin
        records = tf.RaggedTensor.from_row_lengths(
            tf.ensure_shape(records, (None, 3)),
            tf.ensure_shape(lengths, (lanes * shape.micro_steps,)),
            validate=False,
        )
        return {
            "blocks": tf.reshape(blocks, (lanes, shape.micro_steps, 4)),
            "cooccurrences": tf.RaggedTensor.from_uniform_row_length(records, shape.micro_steps),
        }

    return tf.data.Dataset.range(start_step, 2**62).map(load).prefetch(2)


def tiles_of(num_blocks: int, lanes: int, seed: int, micro_step: int) -> list[tuple[int, int]]:
    """(row block, column block) of each lane of a micro-step.

    Numbers from `num_blocks` on fill up a round that the lanes do not divide; they name no block.

    Args:
        num_blocks: int. Blocks B of the vocabulary.
        lanes: int. Tiles of a micro-step.
        seed: int. Seed of the run.
        micro_step: int. Number of the micro-step, counted from the run's first.
    """
    padded = _padded(num_blocks, lanes)
    epoch, offset = divmod(micro_step, padded * padded // lanes)
    shift, first = divmod(offset * lanes, padded)
    generator = np.random.default_rng((seed, epoch))
    rows, columns, shifts = (generator.permutation(padded) for _ in range(3))
    lane = np.arange(first, first + lanes)
    return list(zip(rows[lane], columns[(lane + shifts[shift]) % padded], strict=True))


def _micro_step(counts: CooccurrenceFile, shape: StreamShape, seed: int, micro_step: int):
    chosen = tiles_of(counts.num_blocks, shape.lanes, seed, micro_step)
    return [_tile(counts, int(row), int(column)) for row, column in chosen]


def _tile(
    counts: CooccurrenceFile, row_block: int, column_block: int
) -> tuple[list[int], np.ndarray]:
    """The block of a tile, and its records as int32 (N, 3)."""
    found = counts.tile(row_block, column_block)
    records = np.ascontiguousarray(found).view(np.int32).reshape(-1, 3)
    if not len(found):
        return [0, 0, 0, 0], records
    (row, row_end), (column, column_end) = (
        counts.bounds[block : block + 2] for block in (row_block, column_block)
    )
    return [row, row_end - row, column, column_end - column], records


def _micro_steps_per_epoch(counts: CooccurrenceFile, shape: StreamShape) -> int:
    return _padded(counts.num_blocks, shape.lanes) ** 2 // shape.lanes


def _padded(num_blocks: int, lanes: int) -> int:
    return -(-num_blocks // lanes) * lanes

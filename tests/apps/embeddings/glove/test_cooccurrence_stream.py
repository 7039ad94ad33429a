"""The order of the co-occurrences."""

import numpy as np
import pytest

from apps.embeddings.glove import cooccurrence_stream as streams
from apps.embeddings.glove.cooccurrence import count_cooccurrences
from apps.embeddings.glove.cooccurrence_file import COOCCURRENCE, CooccurrenceFile

WORDS = 400


@pytest.fixture(scope="module")
def counts(tmp_path_factory) -> CooccurrenceFile:
    tokens = (WORDS * np.random.default_rng(0).random(4000) ** 2).astype(np.int32)
    return count_cooccurrences(tokens, WORDS, tmp_path_factory.mktemp("run") / "counts", window=3)


def take(counts, shape, steps, **options):
    """Steps as lists of lanes, these as lists of tiles: (block, records)."""
    stream = streams.cooccurrence_stream(counts, shape, seed=5, **options).take(steps)
    return [
        [
            [(block.tolist(), records_of(tile)) for block, tile in zip(blocks, tiles, strict=True)]
            for blocks, tiles in zip(
                step["blocks"].numpy(), step["cooccurrences"].numpy(), strict=True
            )
        ]
        for step in stream
    ]


def records_of(tile):
    return np.array(tile, np.int32).reshape(-1, 3).copy().view(COOCCURRENCE).ravel()


def expect_same(left, right):
    np.testing.assert_equal(left, right)


def test_an_epoch_has_every_cooccurrence_once(counts):
    shape = streams.StreamShape(4, 1)
    steps = streams.steps_per_epoch(counts, shape)
    for epoch in range(2):
        batches = take(counts, shape, steps, start_step=epoch * steps)
        seen = np.concatenate([tile for batch in batches for lane in batch for _, tile in lane])
        np.testing.assert_array_equal(np.sort(seen), np.sort(np.array(counts.cooccurrences)))


@pytest.mark.parametrize(("batch_size", "micro_steps"), [(1, 1), (1000, 1), (3000, 3), (10**9, 4)])
def test_a_step_has_about_batch_size_cooccurrences_but_not_too_many_tiles(batch_size, micro_steps):
    offsets, records = np.zeros((4, 4, 2), np.int64), np.empty(4000, COOCCURRENCE)
    file = CooccurrenceFile(np.arange(5), offsets, records)
    assert streams.stream_shape(file, batch_size) == (streams.LANES, micro_steps)


def test_a_stream_begins_anywhere(counts):
    shape = streams.StreamShape(4, 3)
    whole = take(counts, shape, 25)
    expect_same(whole[9:], take(counts, shape, 16, start_step=9))


def test_workers_share_the_lanes(counts):
    shape = streams.StreamShape(4, 2)
    whole = take(counts, shape, 3)
    parts = [take(counts, shape, 3, worker=(index, 2)) for index in range(2)]
    expect_same(whole, [left + right for left, right in zip(*parts, strict=True)])


@pytest.mark.parametrize("num_blocks", [1, 3, 4, 10])
def test_lanes_share_no_block(num_blocks):
    seen = []
    padded = -(-num_blocks // 4) * 4
    for micro_step in range(padded * padded // 4):
        tiles = streams.tiles_of(num_blocks, 4, seed=1, micro_step=micro_step)
        for side in zip(*tiles, strict=True):
            assert len(set(side)) == 4
        seen += tiles
    assert len(set(seen)) == len(seen) == padded**2


def test_epochs_and_seeds_differ():
    def order(seed, first):
        return [streams.tiles_of(8, 4, seed, first + i) for i in range(16)]

    assert order(1, 0) != order(1, 16)
    assert order(1, 0) != order(2, 0)

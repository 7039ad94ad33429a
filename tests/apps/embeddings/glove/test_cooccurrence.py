"""Counts against their definition."""

import itertools

import numpy as np
import pytest

from apps.embeddings.glove import cooccurrence
from apps.embeddings.glove.cooccurrence import count_cooccurrences
from apps.embeddings.glove.cooccurrence_file import CooccurrenceFile, block_bounds
from shared.common.errors import KerasuiteError

WORDS = 150


def corpus(length=3000):
    generator = np.random.default_rng(0)
    tokens = (WORDS * generator.random(length) ** 3).astype(np.int32)
    tokens[generator.random(length) < 0.02] = -1
    tokens[100:103] = -1
    return tokens


def by_definition(tokens, window, symmetric):
    counts = np.zeros((WORDS, WORDS))
    for right, distance in itertools.product(range(len(tokens)), range(1, window + 1)):
        left = right - distance
        if left < 0 or (tokens[left : right + 1] < 0).any():
            continue
        counts[tokens[right], tokens[left]] += 1 / distance
        if symmetric:
            counts[tokens[left], tokens[right]] += 1 / distance
    return counts


@pytest.mark.parametrize("memory", [1.0, 1e-9], ids=["one span a thread", "spilled"])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("window", [1, 3, 10])
def test_counts_equal_the_definition(tmp_path, monkeypatch, window, symmetric, memory):
    monkeypatch.setattr(cooccurrence, "PART", 97)
    tokens = corpus()
    found = count_cooccurrences(tokens, WORDS, tmp_path / "counts", window, symmetric, memory)
    expected = by_definition(tokens, window, symmetric)
    dense = np.zeros_like(expected)
    dense[found.cooccurrences["row"], found.cooccurrences["column"]] = found.cooccurrences["value"]
    np.testing.assert_allclose(dense, expected, rtol=1e-6)
    assert len(found) == np.count_nonzero(expected)


def test_cooccurrences_lie_in_their_tiles(tmp_path):
    found = count_cooccurrences(corpus(), WORDS, tmp_path / "counts", window=2)
    total = 0
    for row_block, column_block in np.ndindex(found.num_blocks, found.num_blocks):
        tile = found.tile(row_block, column_block)
        for name, block in (("row", row_block), ("column", column_block)):
            assert (tile[name] >= found.bounds[block]).all()
            assert (tile[name] < found.bounds[block + 1]).all()
        total += len(tile)
    assert total == len(found)


@pytest.mark.parametrize("tokens", [[], [-1, -1], [3], [3, -1, 4]])
def test_corpora_without_pairs(tmp_path, tokens):
    found = count_cooccurrences(np.array(tokens, np.int32), WORDS, tmp_path / "counts")
    assert len(found) == 0


def test_a_failed_count_leaves_nothing_and_starts_again(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("no space left")

    with monkeypatch.context() as patch, pytest.raises(OSError):
        patch.setattr(cooccurrence, "_write", fail)
        count_cooccurrences(corpus(), WORDS, tmp_path / "counts")
    assert not list(tmp_path.iterdir())
    # The remains of a process that was killed.
    (tmp_path / ".partial-counts").mkdir()
    (tmp_path / ".partial-counts" / "spill-0.keys").write_bytes(b"half")
    count_cooccurrences(corpus(), WORDS, tmp_path / "counts")
    assert {file.name for file in (tmp_path / "counts").iterdir()} == {
        "bounds.npy", "offsets.npy", "counts.bin",
    }  # fmt: skip
    assert [file.name for file in tmp_path.iterdir()] == ["counts"]


def test_counts_are_not_counted_again(tmp_path):
    count_cooccurrences(corpus(), WORDS, tmp_path / "counts")
    before = (tmp_path / "counts" / "counts.bin").stat().st_mtime_ns
    count_cooccurrences(corpus(), WORDS, tmp_path / "counts")
    assert (tmp_path / "counts" / "counts.bin").stat().st_mtime_ns == before


def test_damaged_counts_are_named(tmp_path):
    with pytest.raises(KerasuiteError, match="holds no co-occurrence counts"):
        CooccurrenceFile.open(tmp_path / "counts")
    count_cooccurrences(corpus(), WORDS, tmp_path / "counts")
    with open(tmp_path / "counts" / "counts.bin", "ab") as file:
        file.write(b"x")
    with pytest.raises(KerasuiteError, match="incomplete"):
        CooccurrenceFile.open(tmp_path / "counts")


@pytest.mark.parametrize("words", [1, 63, 64, 65, 5000, 300_000])
def test_blocks_cover_the_vocabulary(words):
    bounds = block_bounds(words)
    assert bounds[0] == 0 and bounds[-1] == words
    assert (np.diff(bounds) > 0).all()

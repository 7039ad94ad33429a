"""Huffman codes against gensim's and against their definition."""

import heapq

import numpy as np
import pytest
from gensim.models import Word2Vec

from apps.embeddings.word2vec.huffman import huffman_paths


def min_cost(counts):
    """Total code length of an optimal code, by joining with a heap."""
    heap, cost = list(counts), 0
    heapq.heapify(heap)
    while len(heap) > 1:
        joined = heapq.heappop(heap) + heapq.heappop(heap)
        cost += joined
        heapq.heappush(heap, joined)
    return cost


def falling_counts(size, seed=0):
    drawn = np.random.default_rng(seed).zipf(1.3, size)
    return np.sort(np.minimum(drawn, 10**6))[::-1]


@pytest.mark.parametrize("size", [2, 3, 50, 2000])
def test_is_optimal_and_free_of_prefixes(size):
    counts = falling_counts(size)
    paths = huffman_paths(counts)
    assert (counts * paths.lengths).sum() == min_cost(counts.tolist())
    # Kraft's sum is 1 for a full tree; with distinct codes no code begins another.
    assert np.sum(2.0 ** -paths.lengths.astype(float)) == pytest.approx(1)
    codes = {tuple(signs[:n]) for signs, n in zip(paths.signs, paths.lengths, strict=True)}
    assert len(codes) == size


def test_paths_lead_from_the_root_to_the_word():
    paths = huffman_paths(falling_counts(40))
    child = {}
    for word in range(40):
        length = paths.lengths[word]
        steps = [*paths.nodes[word, :length].tolist(), f"word {word}"]
        assert steps[0] == 38
        for node, sign, below in zip(steps, paths.signs[word], steps[1:], strict=False):
            assert child.setdefault((node, sign), below) == below


def test_code_lengths_equal_gensims():
    """Without ties between the joined counts the tree is unique."""
    counts = np.round(1.37 ** np.arange(25, 0, -1) * 7).astype(int)
    model = Word2Vec(hs=1, negative=0, min_count=1, vector_size=2)
    model.build_vocab_from_freq({f"w{i}": int(count) for i, count in enumerate(counts)})
    theirs = [len(model.wv.get_vecattr(f"w{i}", "code")) for i in range(25)]
    np.testing.assert_array_equal(huffman_paths(counts).lengths, theirs)


def test_one_word_needs_no_decision():
    paths = huffman_paths(np.array([5]))
    assert paths.nodes.shape == (1, 1) and paths.lengths.tolist() == [0]


def test_refuses_other_orders():
    with pytest.raises(ValueError, match="falling order"):
        huffman_paths(np.array([1, 2]))

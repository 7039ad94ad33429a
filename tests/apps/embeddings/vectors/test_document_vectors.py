"""Document vectors against their definition."""

import numpy as np
import pytest

from apps.embeddings.corpus.encoded_corpus import BOUNDARY, EncodedCorpus
from apps.embeddings.vectors.document_vectors import common_component, rank, sif_weights


def test_sif_weights():
    weights = sif_weights(np.array([50, 30, 10, 5, 5]), a=0.01)
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights, [0.01 / (0.01 + p) for p in (0.5, 0.3, 0.1, 0.05, 0.05)])


def sif_by_hand(documents, vectors, counts, a=1e-3):
    """Algorithm 1 of Arora et al., line by line: document vectors, and the common direction."""
    shares = counts / counts.sum()
    rows = np.array([
        sum(a / (a + shares[word]) * vectors[word] for word in document) / len(document)
        for document in documents
    ])  # fmt: skip
    return rows, np.linalg.svd(rows, full_matrices=False)[2][0]


def test_common_component_is_that_of_the_paper():
    generator = np.random.default_rng(1)
    vectors, counts = generator.normal(0.3, 1, (30, 5)), generator.integers(1, 500, 30)
    documents = [generator.integers(0, 30, length) for length in generator.integers(1, 9, 40)]
    _, expected = sif_by_hand(documents, vectors, counts)
    joined = [np.concatenate([*((*words, BOUNDARY) for words in part)])
              for part in (documents[:25], documents[25:])]  # fmt: skip
    found = common_component(joined, vectors, sif_weights(counts))
    # The sign of a direction means nothing.
    np.testing.assert_allclose(found * np.sign(found @ expected), expected, atol=1e-5)


def test_one_document_has_nothing_in_common():
    vectors, weights = np.ones((3, 4)), np.ones(3)
    for corpus in ([], [np.array([0, 1, 2])], [np.array([BOUNDARY])]):
        assert not common_component(corpus, vectors, weights).any()


@pytest.mark.parametrize(("length", "size"), [(7, 10), (95, 10), (1000, 50), (1000, 5)])
def test_a_sample_is_from_all_over_the_corpus(length, size):
    parts = list(EncodedCorpus(np.arange(length)).sample(size, parts=5))
    assert parts[0][0] == 0 and parts[-1][-1] == length - 1
    assert sum(len(part) for part in parts) <= max(size, length if length <= size else 0)


def test_rank():
    ranked = rank(np.array([2.0, 0.0]), np.array([[0, 1], [3, 0], [0, 0], [1, 1], [-1, 0]]))
    assert [index for index, _ in ranked] == [1, 3, 0, 2, 4]
    np.testing.assert_allclose([s for _, s in ranked], [1, 0.5**0.5, 0, 0, -1], atol=1e-6)
    assert len(rank(np.ones(2), np.ones((5, 2)), k=3)) == 3

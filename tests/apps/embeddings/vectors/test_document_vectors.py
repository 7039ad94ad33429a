"""Document vectors against their definition and scikit-learn."""

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD

from apps.embeddings.vectors.document_vectors import (
    first_component,
    mean_vectors,
    rank,
    remove_first_component,
    sif_vectors,
)
from apps.embeddings.vectors.word_vectors import WordVectors

COUNTS = np.array([50, 30, 10, 5, 5])


@pytest.fixture
def vectors():
    return WordVectors(list("abcde"), np.random.default_rng(0).normal(size=(5, 4)))


@pytest.fixture
def documents():
    generator = np.random.default_rng(1)
    return [list(generator.choice(list("abcdex"), 6)) for _ in range(20)] + [["x"], []]


def test_mean(vectors, documents):
    for words, ours in zip(documents, mean_vectors(documents, vectors), strict=True):
        known = [vectors[word] for word in words if word != "x"]
        truth = np.mean(known, axis=0) if known else np.zeros(4)
        np.testing.assert_allclose(ours, truth, atol=1e-6)


def test_sif(vectors, documents):
    share = dict(zip("abcde", COUNTS / 100, strict=True))
    rows = []
    for words in documents:
        known = [0.01 / (0.01 + share[word]) * vectors[word] for word in words if word != "x"]
        rows.append(np.sum(known, axis=0) / len(known) if known else np.zeros(4))
    svd = TruncatedSVD(1, n_iter=20, random_state=0).fit(rows)
    truth = rows - svd.transform(rows) @ svd.components_
    ours = sif_vectors(documents, vectors, COUNTS, a=0.01)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, truth, atol=1e-5)


def test_zeros():
    assert not first_component(np.zeros((3, 4))).any()
    assert not remove_first_component(np.zeros((3, 4), np.float32)).any()
    assert mean_vectors([], WordVectors(["a"], [[1.0, 2.0]])).shape == (0, 2)


def test_rank():
    ranked = rank(np.array([2.0, 0.0]), np.array([[0, 1], [3, 0], [0, 0], [1, 1], [-1, 0]]))
    assert [index for index, _ in ranked] == [1, 3, 0, 2, 4]
    np.testing.assert_allclose([s for _, s in ranked], [1, 0.5**0.5, 0, 0, -1], atol=1e-6)
    assert len(rank(np.ones(2), np.ones((5, 2)), k=3)) == 3

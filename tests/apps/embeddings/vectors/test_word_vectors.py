"""Neighbours and analogies against gensim."""

import numpy as np
import pytest
from gensim.models import KeyedVectors

from apps.embeddings.vectors.word_vectors import WordVectors
from shared.common.errors import KerasuiteError


@pytest.fixture(scope="module")
def vectors():
    generator = np.random.default_rng(0)
    words = [f"word{index}" for index in range(300)]
    return WordVectors(words, generator.normal(size=(300, 16)))


@pytest.fixture(scope="module")
def keyed(vectors):
    keyed = KeyedVectors(16)
    keyed.add_vectors(vectors.words, vectors.vectors)
    return keyed


def same(ours, theirs):
    assert [word for word, _ in ours] == [word for word, _ in theirs]
    np.testing.assert_allclose([score for _, score in ours], [s for _, s in theirs], atol=1e-6)


def test_neighbors(vectors, keyed):
    same(vectors.neighbors("word7", 12), keyed.most_similar("word7", topn=12))


def test_analogy(vectors, keyed):
    given = {"positive": ["word2", "word3"], "negative": ["word1"], "topn": 9}
    same(vectors.analogy("word1", "word2", "word3", 9), keyed.most_similar(**given))
    product = vectors.analogy("word1", "word2", "word3", 9, method="3cosmul")
    same(product, keyed.most_similar_cosmul(**given))


def test_more_than_there_are():
    vectors = WordVectors(["a", "b", "zero"], [[1, 0], [0, 2], [0, 0]])
    assert vectors.neighbors("a", 10) == [("b", 0.0), ("zero", 0.0)]
    assert vectors.analogy("a", "b", "zero") == []


def test_unknown_word():
    vectors = WordVectors(["House", "mouse", "horse"], np.eye(3))
    with pytest.raises(KerasuiteError, match="'house' is not among the 3 words; close: House"):
        vectors.neighbors("house")
    with pytest.raises(KerasuiteError, match="close: mouse$"):
        vectors.index("mousse")
    with pytest.raises(KerasuiteError, match="unknown method"):
        vectors.analogy("House", "mouse", "horse", method="2cos")
    with pytest.raises(ValueError):
        WordVectors(["a"], np.eye(2))

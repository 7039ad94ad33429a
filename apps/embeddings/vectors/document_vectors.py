"""Document vectors: smooth inverse frequency (SIF) and ranking."""

from collections.abc import Iterable

import numpy as np

from apps.embeddings.corpus.encoded_corpus import BOUNDARY
from apps.embeddings.vectors.word_vectors import normalized


def sif_weights(counts: np.ndarray, a: float = 1e-3) -> np.ndarray:
    """Smooth inverse frequency, a / (a + p(w)): frequent words say little.

    Args:
        counts: int (V,). Occurrences of each word in the corpus.
        a: float. Share of the corpus at which a word has half the weight.

    Returns:
        float32 (V,).

    Reference: [Arora et al., 2017](https://openreview.net/forum?id=SyK00v5xx), A Simple but
        Tough-to-Beat Baseline for Sentence Embeddings, algorithm 1
    """
    shares = np.asarray(counts, np.float64) / np.sum(counts)
    return (a / (a + shares)).astype(np.float32)


def common_component(
    corpus: Iterable[np.ndarray], vectors: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """First principal component of weighted document vectors, not centred.

    Documents have it in common, whatever they are about: algorithm 1 subtracts the projection on it
    from each.

    Args:
        corpus: int (n,) arrays of word ids, with BOUNDARY between documents.
        vectors: float (V, D). Word vectors.
        weights: float (V,). See `sif_weights`.

    Returns:
        float32 (D,) of length 1; zeros if there are no two documents, which have nothing in common.
    """
    # The eigenvectors of the small D x D product are the right singular vectors of the rows.
    product, count = np.zeros((vectors.shape[1], vectors.shape[1])), 0
    for tokens in corpus:
        rows = _weighted_means(tokens, vectors, weights)
        product += rows.T @ rows
        count += len(rows)
    if count < 2 or not np.any(product):
        return np.zeros(vectors.shape[1], np.float32)
    _, directions = np.linalg.eigh(product)
    return directions[:, -1].astype(np.float32)


def _weighted_means(tokens: np.ndarray, vectors: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean of weight times vector over the words of each document, float64 (documents, D)."""
    is_word = tokens != BOUNDARY
    words, document = tokens[is_word], np.cumsum(~is_word)[is_word]
    if not len(words):
        return np.zeros((0, vectors.shape[1]))
    starts = np.flatnonzero(np.diff(document, prepend=-1))
    sums = np.add.reduceat(weights[words, None] * vectors[words], starts, axis=0, dtype=np.float64)
    return sums / np.diff(starts, append=len(words))[:, None]


def rank(
    query_vector: np.ndarray, document_vectors: np.ndarray, k: int | None = None
) -> list[tuple[int, float]]:
    """Finds the k documents nearest to a query, best first.

    Args:
        query_vector: float (D,).
        document_vectors: float (N, D). Vectors of zeros have the similarity 0.
        k: int. Number of documents; by default all.

    Returns:
        List of (index, cosine similarity).
    """
    similarities = normalized(document_vectors) @ normalized(query_vector)
    order = np.argsort(-similarities, kind="stable")[:k]
    return [(int(index), float(similarities[index])) for index in order]

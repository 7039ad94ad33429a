"""Vectors of documents from the vectors of their words, and ranking by them."""

from collections.abc import Iterable

import numpy as np

from apps.embeddings.vectors.word_vectors import WordVectors, normalized


def mean_vectors(
    documents: Iterable[list[str]], vectors: WordVectors, weights: np.ndarray | None = None
) -> np.ndarray:
    """The mean of the vectors of each document's known words.

    Args:
        documents: lists of words, read once.
        vectors: of words.
        weights: float (V,). Factor of each word, by default 1; the sum is still divided by the
            number of words.

    Returns:
        float32 (N, D); zeros for a document without known words.
    """
    scaled = vectors.vectors if weights is None else vectors.vectors * weights[:, None]
    means = [_mean(words, vectors.ids, scaled) for words in documents]
    return np.array(means, np.float32).reshape(-1, vectors.dim)


def _mean(words: list[str], ids: dict[str, int], scaled: np.ndarray) -> np.ndarray:
    rows = [ids[word] for word in words if word in ids]
    return scaled[rows].mean(axis=0) if rows else np.zeros(scaled.shape[1], np.float32)


def sif_weights(counts: np.ndarray, a: float = 1e-3) -> np.ndarray:
    """Smooth inverse frequency, a / (a + p(w)): frequent words say little.

    Args:
        counts: numbers (V,). How often each word occurs in the corpus.
        a: float. The share of the corpus at which a word weighs a half.

    Returns:
        float32 (V,).

    Reference: [Arora et al., 2017](https://openreview.net/forum?id=SyK00v5xx), A Simple but
        Tough-to-Beat Baseline for Sentence Embeddings
    """
    shares = np.asarray(counts, np.float64) / np.sum(counts)
    return (a / (a + shares)).astype(np.float32)


def first_component(matrix: np.ndarray) -> np.ndarray:
    """The unit vector (D,) that most of the rows (N, D) have in common, not centred.

    Zeros if all rows are.
    """
    if not np.any(matrix):
        return np.zeros(matrix.shape[1], np.float32)
    # The eigenvectors of the small D x D product are the right singular vectors of the rows.
    wide = np.asarray(matrix, np.float64)
    _, directions = np.linalg.eigh(wide.T @ wide)
    return directions[:, -1].astype(np.float32)


def remove_component(matrix: np.ndarray, component: np.ndarray) -> np.ndarray:
    """Rows (N, D), or one vector (D,), without their part in the direction of a unit vector."""
    return matrix - np.multiply.outer(matrix @ component, component)


def remove_first_component(matrix: np.ndarray) -> np.ndarray:
    """Rows (N, D) without what most of them have in common."""
    return remove_component(matrix, first_component(matrix))


def sif_vectors(
    documents: Iterable[list[str]], vectors: WordVectors, counts: np.ndarray, a: float = 1e-3
) -> np.ndarray:
    """SIF vectors: weighted means without the first principal component of all documents.

    Args:
        documents: lists of words, read once.
        vectors: of words.
        counts: numbers (V,). Occurrences of each word in the training corpus.
        a: float. See `sif_weights`.

    Returns:
        float32 (N, D).

    Reference: [Arora et al., 2017](https://openreview.net/forum?id=SyK00v5xx), algorithm 1
    """
    return remove_first_component(mean_vectors(documents, vectors, sif_weights(counts, a)))


def rank(
    query_vector: np.ndarray, document_vectors: np.ndarray, k: int | None = None
) -> list[tuple[int, float]]:
    """(index, cosine similarity) of the k documents nearest to a query, best first.

    Args:
        query_vector: float (D,).
        document_vectors: float (N, D). Vectors of zeros have the similarity 0.
        k: int. How many; by default all.
    """
    similarities = normalized(document_vectors) @ normalized(query_vector)
    order = np.argsort(-similarities, kind="stable")[:k]
    return [(int(index), float(similarities[index])) for index in order]

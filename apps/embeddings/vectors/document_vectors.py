"""Document vectors: smooth inverse frequency (SIF) and ranking."""

import numpy as np

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


def first_component(matrix: np.ndarray) -> np.ndarray:
    """Computes the first principal component of rows (N, D), not centred.

    Returns:
        float32 (D,) of length 1, or zeros if all rows are.
    """
    if not np.any(matrix):
        return np.zeros(matrix.shape[1], np.float32)
    # The eigenvectors of the small D x D product are the right singular vectors of the rows.
    wide = np.asarray(matrix, np.float64)
    _, directions = np.linalg.eigh(wide.T @ wide)
    return directions[:, -1].astype(np.float32)


def remove_component(matrix: np.ndarray, component: np.ndarray) -> np.ndarray:
    """Subtracts the projection on a unit vector from rows (N, D), or from one vector (D,)."""
    return matrix - np.multiply.outer(matrix @ component, component)


def remove_first_component(matrix: np.ndarray) -> np.ndarray:
    """Subtracts the projection on the first principal component from rows (N, D)."""
    return remove_component(matrix, first_component(matrix))


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

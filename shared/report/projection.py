"""Vectors in two dimensions, for maps."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from shared.common.errors import KerasuiteError

METHODS = ("pca", "tsne")


def project(rows: np.ndarray, method: str = "pca", seed: int = 1) -> np.ndarray:
    """Projects vectors to two dimensions.

    Args:
        rows: float (n, D).
        method: str. "pca" or "tsne".
        seed: int. Seed of t-SNE.

    Returns:
        float (n, 2).

    Raises:
        KerasuiteError: for an unknown method.

    Reference: [van der Maaten and Hinton, 2008](https://jmlr.org/papers/v9/vandermaaten08a.html),
        Visualizing Data using t-SNE
    """
    if method not in METHODS:
        raise KerasuiteError(f"--method {method}: unknown; one of {', '.join(METHODS)}")
    if method == "tsne" and len(rows) > 3:
        perplexity = min(30.0, (len(rows) - 1) / 3)
        return TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(rows)
    points = PCA(min(2, *rows.shape), svd_solver="full").fit_transform(rows)
    return np.pad(points, [(0, 0), (0, 2 - points.shape[1])])

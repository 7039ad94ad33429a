"""Distances from pictures to the nearest ones of others: copies among generated pictures."""

import numpy as np

BLOCK = 256


def nearest(
    pictures: np.ndarray, others: np.ndarray, same: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """The nearest of some others to each picture, by the root mean square of level differences.

    Args:
        pictures: uint8 (N, H, W, C).
        others: uint8 (M, H, W, C).
        same: whether both are the same pictures, of which none is compared with itself.

    Returns:
        Distances float64 (N,) and indices int (N,).
    """
    size = int(np.prod(pictures.shape[1:]))
    best = np.full(len(pictures), np.inf)
    index = np.zeros(len(pictures), np.int64)
    for begin in range(0, len(pictures), BLOCK):
        rows = _flat(pictures[begin : begin + BLOCK])
        part = slice(begin, begin + len(rows))
        for start in range(0, len(others), BLOCK):
            columns = _flat(others[start : start + BLOCK])
            # Whole numbers below 2**24 and their sums: nothing is lost by |a|^2 + |b|^2 - 2 a b.
            squares = (
                np.square(rows).sum(axis=1)[:, np.newaxis]
                + np.square(columns).sum(axis=1)
                - 2.0 * (rows @ columns.T)
            )
            if same and begin == start:
                np.fill_diagonal(squares, np.inf)
            closest = squares.argmin(axis=1)
            found = squares[np.arange(len(rows)), closest]
            nearer = found < best[part]
            best[part][nearer], index[part][nearer] = found[nearer], start + closest[nearer]
    return np.sqrt(np.maximum(best, 0.0) / size), index


def _flat(pictures: np.ndarray) -> np.ndarray:
    return pictures.reshape(len(pictures), -1).astype(np.float64)

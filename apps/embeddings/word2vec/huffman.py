"""Huffman tree over a vocabulary: frequent words get short codes."""

from typing import NamedTuple

import numpy as np


class HuffmanPaths(NamedTuple):
    """The path from the root of the tree to each word.

    Attributes:
        nodes: int32 (V, H). Inner nodes from the root on, 0 after the end; they are numbered
            from 0 to V - 2 in the order in which the tree was built.
        signs: float32 (V, H). +1 for the first branch (code 0), -1 for the second (code 1), 0
            after the end.
    """

    nodes: np.ndarray
    signs: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Length of each code: int64 (V,)."""
        return np.count_nonzero(self.signs, axis=1)


def huffman_paths(counts: np.ndarray) -> HuffmanPaths:
    """Builds the tree with the smallest mean code length.

    Args:
        counts: int (V,). Falling, as in a vocabulary.

    Returns:
        The paths, with H the longest code (at least 1).

    Raises:
        ValueError: if the counts are not falling.

    Reference: [Huffman, 1952, A Method for the Construction of Minimum-Redundancy Codes]
    (https://doi.org/10.1109/JRPROC.1952.273898)
    """
    counts = np.asarray(counts, np.int64)
    if np.any(np.diff(counts) > 0):
        raise ValueError("counts must be in falling order")
    parents, branches = _merge(counts)
    return _paths(parents, branches, len(counts))


def _merge(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Joins the two rarest nodes until one is left.

    Joined nodes grow ever more frequent, so the rarest node is always either the next leaf from
    the rare end or the oldest joined node that has no parent yet. No heap is needed.

    Returns:
        (parent, branch) of all 2 V - 1 nodes: leaves first, then inner nodes, the root last.
    """
    size = len(counts)
    weight = counts.tolist() + [0] * (size - 1)
    parents = np.zeros(2 * size - 1, np.int64)
    branches = np.zeros(2 * size - 1, np.int64)
    leaf, inner = size - 1, size
    for joined in range(size, 2 * size - 1):
        for branch in (0, 1):
            if leaf >= 0 and (inner == joined or weight[leaf] < weight[inner]):
                rarest, leaf = leaf, leaf - 1
            else:
                rarest, inner = inner, inner + 1
            parents[rarest], branches[rarest] = joined, branch
            weight[joined] += weight[rarest]
    return parents, branches


def _paths(parents: np.ndarray, branches: np.ndarray, size: int) -> HuffmanPaths:
    """Follows the parents of all leaves at once, and writes each path from its end."""
    root = len(parents) - 1
    depth = np.zeros(len(parents), np.int64)
    for node in range(root - 1, -1, -1):
        depth[node] = depth[parents[node]] + 1
    lengths = depth[:size]
    longest = max(int(lengths.max(initial=0)), 1)
    nodes = np.zeros((size, longest), np.int32)
    signs = np.zeros((size, longest), np.float32)
    words, at = np.arange(size), np.arange(size)
    for climbed in range(1, longest + 1):
        below = lengths[words] >= climbed
        words, at = words[below], at[below]
        depths = lengths[words] - climbed
        signs[words, depths] = 1 - 2 * branches[at]
        at = parents[at]
        nodes[words, depths] = at - size
    return HuffmanPaths(nodes, signs)

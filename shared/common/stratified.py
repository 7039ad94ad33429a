"""Splits of examples with several labels, in which every label keeps its share."""

from collections.abc import Sequence

import numpy as np


def stratified_parts(targets: np.ndarray, shares: Sequence[float], seed: int) -> np.ndarray:
    """The part of each example, int (N,): iterative stratification.

    The label with the fewest examples left is dealt out first; each of its examples goes to the
    part that lacks most of this label, then most of all. So the only example of a label is in the
    largest part, and two examples are in two parts where the parts are equal.

    Args:
        targets: (N, C), 1 where an example has a label.
        shares: of the parts, which add up to 1.
        seed: int. Decides the order of the examples.

    Reference: [Sechidis et al., 2011](https://doi.org/10.1007/978-3-642-23808-6_10)
    """
    targets = np.asarray(targets) > 0
    order = np.random.default_rng(seed).permutation(len(targets))
    shares = np.asarray(shares, np.float64)
    wanted = shares * len(targets)
    wanted_of_label = shares[:, None] * targets.sum(axis=0)
    part_of = np.full(len(targets), -1)

    def deal(example: int, lacks: np.ndarray) -> None:
        part = np.lexsort((-wanted, -lacks.round(9)))[0]
        part_of[example] = part
        wanted[part] -= 1
        wanted_of_label[part] -= targets[example]

    left = targets.sum(axis=0)
    while left.any():
        label = int(np.argmin(np.where(left > 0, left, len(targets) + 1)))
        for example in order[targets[order, label] & (part_of[order] < 0)]:
            deal(example, wanted_of_label[:, label])
            left = left - targets[example]
    for example in order[part_of[order] < 0]:
        deal(example, wanted)
    return part_of

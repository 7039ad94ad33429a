"""Batches of texts of like length, in an order of its own for each epoch.

In each epoch the texts (pairs of them, where the task has two sides) are shuffled, then sorted by
rounded lengths. Those of equal rounded lengths are exchanged from epoch to epoch, the sequence of
lengths stays the same: batches are cut at the same indices every time, so that epochs have equally
many steps and every batch is a function of seed and step.
"""

import numpy as np

# Lengths are rounded up to multiples of it: more gives other neighbours, less gives less padding.
ROUNDING = 2
# A last batch of fewer texts joins the one before it.
MIN_TEXTS = 8


class BatchPlan:
    """The batches of an endless training.

    Args:
        lengths: int array (N,) or (N, sides). Tokens of each text, marks at its end included.
        batch_tokens: int. Maximum tokens of a batch: texts times the longest rounded length.
        batch_size: int. If not 0, texts of a batch instead.
        seed: int. Of the run.
    """

    def __init__(
        self,
        lengths: np.ndarray,
        batch_tokens: int,
        batch_size: int,
        seed: int,
    ):
        rounded = -(-np.asarray(lengths) // ROUNDING) * ROUNDING
        self.lengths = rounded.reshape(len(rounded), -1)
        self.seed = seed
        longer_sides = self.lengths.max(axis=1)
        costs = longer_sides[self._by_length(np.arange(len(longer_sides)))]
        self._ends = (
            _cut_by_count(len(costs), batch_size) if batch_size else _cut(costs, batch_tokens)
        )
        self._epoch, self._batches = -1, []

    @property
    def steps_per_epoch(self) -> int:
        return len(self._ends)

    def texts_of(self, step: int) -> np.ndarray:
        """Indices of the texts in the batch of a global step."""
        epoch, index = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self._shuffled(epoch)
        return self._batches[index]

    def _shuffled(self, epoch: int) -> list[np.ndarray]:
        generator = np.random.default_rng((self.seed, epoch))
        order = self._by_length(generator.permutation(len(self.lengths)))
        batches = np.split(order, self._ends[:-1])
        return [batches[number] for number in generator.permutation(len(batches))]

    def _by_length(self, texts: np.ndarray) -> np.ndarray:
        """Sorts by the rounded length of the last side, then of those before; ties stay."""
        return texts[np.lexsort(self.lengths[texts].T)]


def _cut_by_count(count: int, batch_size: int) -> list[int]:
    return _joined([*range(batch_size, count, batch_size), count], min(batch_size, MIN_TEXTS))


def _cut(costs: np.ndarray, batch_tokens: int) -> list[int]:
    """Ends of batches whose texts, all as long as the longest, have `batch_tokens` at most."""
    ends, begin, max_cost = [], 0, 0
    for index, cost in enumerate(costs.tolist()):
        max_cost = max(max_cost, cost)
        if index > begin and (index + 1 - begin) * max_cost > batch_tokens:
            ends.append(index)
            begin, max_cost = index, cost
    return _joined([*ends, len(costs)], MIN_TEXTS)


def _joined(ends: list[int], min_texts: int) -> list[int]:
    """Adds the last batch to the one before it if it is too small."""
    if len(ends) > 1 and ends[-1] - ends[-2] < min_texts:
        return [*ends[:-2], ends[-1]]
    return ends

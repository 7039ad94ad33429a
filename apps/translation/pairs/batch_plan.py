"""Which sentence pairs stand in which batch: pairs of like length, in an order of their own.

In each epoch the pairs are shuffled, then sorted by rounded lengths. Pairs of equal rounded
lengths change places from epoch to epoch, the row of lengths does not: batches are cut at the
same places every time, so that epochs have equally many steps and every batch is a function of
seed and step.
"""

import numpy as np

# Lengths are rounded up to multiples of it: more gives other neighbours, less gives less padding.
ROUNDING = 2
# A last batch of fewer pairs joins the one before it.
FEWEST_PAIRS = 8


class BatchPlan:
    """The batches of an endless training.

    Args:
        source_lengths, target_lengths: int arrays (N,). Tokens of each pair, END included.
        batch_tokens: int. Most tokens of a batch: pairs times the longer of its two rounded
            lengths.
        batch_size: int. If not 0, pairs of a batch instead.
        seed: int. Of the run.
    """

    def __init__(
        self,
        source_lengths: np.ndarray,
        target_lengths: np.ndarray,
        batch_tokens: int,
        batch_size: int,
        seed: int,
    ):
        self.source_lengths = _rounded(source_lengths)
        self.target_lengths = _rounded(target_lengths)
        self.seed = seed
        longer = np.maximum(self.source_lengths, self.target_lengths)
        costs = longer[self._by_length(np.arange(len(longer)))]
        self._ends = (
            _cut_by_count(len(costs), batch_size) if batch_size else _cut(costs, batch_tokens)
        )
        self._epoch, self._batches = -1, []

    @property
    def steps_per_epoch(self) -> int:
        return len(self._ends)

    def pairs_of(self, step: int) -> np.ndarray:
        """Numbers of the pairs in the batch of a global step."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self._shuffled(epoch)
        return self._batches[place]

    def _shuffled(self, epoch: int) -> list[np.ndarray]:
        generator = np.random.default_rng((self.seed, epoch))
        order = self._by_length(generator.permutation(len(self.source_lengths)))
        batches = np.split(order, self._ends[:-1])
        return [batches[number] for number in generator.permutation(len(batches))]

    def _by_length(self, pairs: np.ndarray) -> np.ndarray:
        """Sorts pairs by rounded target length, then source length; equal ones stay in order."""
        return pairs[np.lexsort((self.source_lengths[pairs], self.target_lengths[pairs]))]


def _rounded(lengths: np.ndarray) -> np.ndarray:
    return -(-np.asarray(lengths) // ROUNDING) * ROUNDING


def _cut_by_count(count: int, batch_size: int) -> list[int]:
    return _joined([*range(batch_size, count, batch_size), count], min(batch_size, FEWEST_PAIRS))


def _cut(costs: np.ndarray, batch_tokens: int) -> list[int]:
    """Where batches end so that the pairs of each, all as long as its longest, fit."""
    ends, begin, longest = [], 0, 0
    for place, cost in enumerate(costs.tolist()):
        longest = max(longest, cost)
        if place > begin and (place + 1 - begin) * longest > batch_tokens:
            ends.append(place)
            begin, longest = place, cost
    return _joined([*ends, len(costs)], FEWEST_PAIRS)


def _joined(ends: list[int], fewest: int) -> list[int]:
    """Adds the last batch to the one before it if it is too small."""
    if len(ends) > 1 and ends[-1] - ends[-2] < fewest:
        return [*ends[:-2], ends[-1]]
    return ends

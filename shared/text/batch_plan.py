"""Which texts stand in which batch: those of like length, in an order of their own.

In each epoch the texts (pairs of them, where the task has two sides) are shuffled, then sorted by
rounded lengths. Those of equal rounded lengths change places from epoch to epoch, the row of
lengths does not: batches are cut at the same places every time, so that epochs have equally many
steps and every batch is a function of seed and step.
"""

import numpy as np

# Lengths are rounded up to multiples of it: more gives other neighbours, less gives less padding.
ROUNDING = 2
# A last batch of fewer texts joins the one before it.
FEWEST = 8


class BatchPlan:
    """The batches of an endless training.

    Args:
        lengths: int array (N,) or (N, sides). Tokens of each text, marks at its end included.
        batch_tokens: int. Most tokens of a batch: texts times the longest rounded length.
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
        longest = self.lengths.max(axis=1)
        costs = longest[self._by_length(np.arange(len(longest)))]
        self._ends = (
            _cut_by_count(len(costs), batch_size) if batch_size else _cut(costs, batch_tokens)
        )
        self._epoch, self._batches = -1, []

    @property
    def steps_per_epoch(self) -> int:
        return len(self._ends)

    def texts_of(self, step: int) -> np.ndarray:
        """Numbers of the texts in the batch of a global step."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self._shuffled(epoch)
        return self._batches[place]

    def _shuffled(self, epoch: int) -> list[np.ndarray]:
        generator = np.random.default_rng((self.seed, epoch))
        order = self._by_length(generator.permutation(len(self.lengths)))
        batches = np.split(order, self._ends[:-1])
        return [batches[number] for number in generator.permutation(len(batches))]

    def _by_length(self, texts: np.ndarray) -> np.ndarray:
        """Sorts by the rounded length of the last side, then of those before; ties stay."""
        return texts[np.lexsort(self.lengths[texts].T)]


def _cut_by_count(count: int, batch_size: int) -> list[int]:
    return _joined([*range(batch_size, count, batch_size), count], min(batch_size, FEWEST))


def _cut(costs: np.ndarray, batch_tokens: int) -> list[int]:
    """Where batches end so that the texts of each, all as long as its longest, fit."""
    ends, begin, longest = [], 0, 0
    for place, cost in enumerate(costs.tolist()):
        longest = max(longest, cost)
        if place > begin and (place + 1 - begin) * longest > batch_tokens:
            ends.append(place)
            begin, longest = place, cost
    return _joined([*ends, len(costs)], FEWEST)


def _joined(ends: list[int], fewest: int) -> list[int]:
    """Adds the last batch to the one before it if it is too small."""
    if len(ends) > 1 and ends[-1] - ends[-2] < fewest:
        return [*ends[:-2], ends[-1]]
    return ends

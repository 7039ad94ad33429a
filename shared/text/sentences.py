"""Sentences as token ids, one after the other in one array."""

import dataclasses
from collections.abc import Iterable

import numpy as np

from shared.text.special_tokens import PAD


@dataclasses.dataclass(frozen=True)
class Sentences:
    """Token ids of sentences, one after the other.

    Attributes:
        tokens: int32 (total,).
        ends: int64 (N + 1,). Sentence i is tokens[ends[i]:ends[i + 1]].
    """

    tokens: np.ndarray
    ends: np.ndarray

    def __len__(self) -> int:
        return len(self.ends) - 1

    def __getitem__(self, index: int) -> np.ndarray:
        """The tokens of one sentence."""
        return self.tokens[self.ends[index] : self.ends[index + 1]]

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.ends)

    def take(self, chosen: np.ndarray) -> "Sentences":
        """The sentences with these indices."""
        return Sentences.of([self[i] for i in chosen])

    @classmethod
    def of(cls, rows: Iterable[np.ndarray]) -> "Sentences":
        """The sentences that are these rows of tokens."""
        rows = list(rows)
        ends = np.cumsum([0, *(len(row) for row in rows)])
        return cls(np.concatenate([np.zeros(0, np.int32), *rows]), ends)

    def padded(
        self,
        chosen: np.ndarray,
        begin: int | None = None,
        end: int | None = None,
        padding: int = PAD,
    ) -> np.ndarray:
        """Rows of sentences, padded to the longest: int32 (B, T).

        Args:
            chosen: int (B,). Indices of the sentences.
            begin, end: tokens before and after each sentence, or None.
            padding: token after the end.
        """
        lengths = self.lengths[chosen]
        first = 0 if begin is None else 1
        width = int(lengths.max(initial=0)) + first + (0 if end is None else 1)
        batch = np.full((len(chosen), width), padding, np.int32)
        columns = np.arange(width)
        inside = (columns >= first) & (columns < first + lengths[:, None])
        sources = self.ends[chosen][:, None] + columns - first
        batch[inside] = self.tokens[sources[inside]]
        if begin is not None:
            batch[:, 0] = begin
        if end is not None:
            batch[np.arange(len(chosen)), first + lengths] = end
        return batch

"""Batches of sequences, with pairs of segments and masked word pieces where configured.

Every random choice depends on (seed, position in the stream); with static masking on (seed, index
of the sequence), so that every epoch has the same masks.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from apps.bert.checkpoint.tokenizer_files import Tokenizer
from apps.bert.pretraining.masking import Masker
from apps.bert.pretraining.sequences import EncodedText

# Values of `PretrainingExamples.pairs`. The label "next" is 1 where the segments are in the order
# of the text.
NEXT, ORDER, NONE = "next", "order", "none"


@dataclasses.dataclass(frozen=True)
class PretrainingExamples:
    """Sequences of a corpus.

    Args:
        text: the corpus.
        stretches: int64 (N, 2) or, with pairs, (N, 3): see `sequences.py`.
        pairs: "none", "next" or "order".
        tokenizer: tokenizer of the corpus.
        masker: masks word pieces, or None.
        length: int. Longest sequence, special tokens included.
        seed: int.
        static: bool. Whether a sequence always has the same masks.
    """

    text: EncodedText
    stretches: np.ndarray
    pairs: str
    tokenizer: Tokenizer
    masker: Masker | None
    length: int
    seed: int
    static: bool

    def __len__(self) -> int:
        return len(self.stretches)

    @property
    def lengths(self) -> np.ndarray:
        return self.stretches[:, -1] - self.stretches[:, 0]

    def batch(self, indices: np.ndarray, positions: np.ndarray | None = None):
        """The batch (x, y) of some sequences.

        Args:
            indices: int (B,). Indices of the sequences.
            positions: int (B,). Their positions in the endless stream; by default their indices.
        """
        numbers = indices if positions is None or self.static else positions
        token_ids = np.full((len(indices), self.length), self.tokenizer.pad, np.int32)
        segment_ids = np.zeros_like(token_ids)
        follows = np.ones(len(indices), np.int32)
        masked = []
        for row, (index, number) in enumerate(zip(indices, numbers, strict=True)):
            generator = np.random.default_rng((self.seed, int(number)))
            first, second, follows[row] = self._segments(int(index), generator)
            ids = self._joined(first, second)
            token_ids[row, : len(ids)] = ids
            if second is not None:
                segment_ids[row, len(first) + 2 : len(ids)] = 1
            if self.masker is not None:
                masked.append(self.masker(token_ids[row : row + 1], generator))
        x, y = {"token_ids": token_ids, "segment_ids": segment_ids}, {"next": follows}
        if masked:
            x["token_ids"], x["masked_positions"], y["masked"] = (
                np.concatenate(rows) for rows in zip(*masked, strict=True)
            )
        return x, y

    def _joined(self, first: np.ndarray, second: np.ndarray | None) -> np.ndarray:
        cls, sep = [self.tokenizer.cls], [self.tokenizer.sep]
        pair = [] if second is None else [second, sep]
        return np.concatenate([cls, first, sep, *pair]).astype(np.int32)

    def _segments(self, index: int, generator: np.random.Generator):
        """First segment, second segment or None, and the label "next"."""
        if self.pairs == NONE:
            return self._tokens(*self.stretches[index]), None, 1
        begin, border, end = self.stretches[index]
        first, second = self._tokens(begin, border), self._tokens(border, end)
        if int(generator.random() < 0.5):
            return first, second, 1
        if self.pairs == ORDER:
            return second, first, 0
        # Any other second segment, possibly of the same document.
        other = (index + 1 + int(generator.integers(max(1, len(self) - 1)))) % len(self)
        return first, self._tokens(*self.stretches[other][1:]), 0

    def _tokens(self, begin: int, end: int) -> np.ndarray:
        return self.text.token_ids[begin:end]

    def batch_spec(self) -> tuple:
        """TensorSpecs of a batch."""
        rows = tf.TensorSpec([None, self.length], tf.int32)
        x, y = {"token_ids": rows, "segment_ids": rows}, {"next": tf.TensorSpec([None], tf.int32)}
        if self.masker is not None:
            x["masked_positions"] = y["masked"] = tf.TensorSpec(
                [None, self.masker.max_masked], tf.int32
            )
        return x, y

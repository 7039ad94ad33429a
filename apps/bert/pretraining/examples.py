"""Sequences to batches: pairs are put together, and word pieces masked, if that is wanted.

Every random choice follows from (seed, position in the stream); with static masking from (seed,
number of the sequence), so that every epoch has the same masks.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from apps.bert.pretraining.masking import Masker
from apps.bert.pretraining.sequences import EncodedText
from shared.text.wordpiece_tokenizer import WordPieceTokenizer

# What `PretrainingExamples.pairs` may be, and how "next" is labelled: 1 where the segments stand
# as they do in the text.
NEXT, ORDER, NONE = "next", "order", "none"


@dataclasses.dataclass(frozen=True)
class PretrainingExamples:
    """Sequences of a corpus.

    Args:
        text: the corpus.
        stretches: int64 (N, 2) or, with pairs, (N, 3): see `sequences.py`.
        pairs: "none", "next" or "order".
        tokenizer: of the corpus.
        masker: chooses what is to be guessed; None leaves the text as it is.
        length: int. Longest sequence, special tokens included.
        seed: int.
        static: bool. Whether a sequence always has the same masks.
    """

    text: EncodedText
    stretches: np.ndarray
    pairs: str
    tokenizer: WordPieceTokenizer
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
        """(x, y) of sequences.

        Args:
            indices: int (B,). Which ones.
            positions: int (B,). Their places in the endless stream; by default their numbers.
        """
        numbers = indices if positions is None or self.static else positions
        tokens = np.full((len(indices), self.length), self.tokenizer.pad, np.int32)
        segments = np.zeros_like(tokens)
        follows = np.ones(len(indices), np.int32)
        masked = []
        for row, (index, number) in enumerate(zip(indices, numbers, strict=True)):
            generator = np.random.default_rng((self.seed, int(number)))
            first, second, follows[row] = self._segments(int(index), generator)
            ids = self._joined(first, second)
            tokens[row, : len(ids)] = ids
            if second is not None:
                segments[row, len(first) + 2 : len(ids)] = 1
            if self.masker is not None:
                masked.append(self.masker(tokens[row : row + 1], generator))
        x, y = {"tokens": tokens, "segments": segments}, {"next": follows}
        if masked:
            x["tokens"], x["places"], y["masked"] = map(np.concatenate, zip(*masked, strict=True))
        return x, y

    def _joined(self, first: np.ndarray, second: np.ndarray | None) -> np.ndarray:
        cls, sep = [self.tokenizer.cls], [self.tokenizer.sep]
        pair = [] if second is None else [second, sep]
        return np.concatenate([cls, first, sep, *pair]).astype(np.int32)

    def _segments(self, index: int, generator: np.random.Generator):
        """First segment, second one or None, and whether they stand as in the text."""
        if self.pairs == NONE:
            return self._tokens(*self.stretches[index]), None, 1
        begin, border, end = self.stretches[index]
        first, second = self._tokens(begin, border), self._tokens(border, end)
        as_it_is = int(generator.random() < 0.5)
        if as_it_is:
            return first, second, 1
        if self.pairs == ORDER:
            return second, first, 0
        # One of the others, which may be of the same document, but does not follow.
        other = (index + 1 + int(generator.integers(max(1, len(self) - 1)))) % len(self)
        return first, self._tokens(*self.stretches[other][1:]), 0

    def _tokens(self, begin: int, end: int) -> np.ndarray:
        return self.text.tokens[begin:end]

    def batch_spec(self) -> tuple:
        """The specs of a batch."""
        rows = tf.TensorSpec([None, self.length], tf.int32)
        x, y = {"tokens": rows, "segments": rows}, {"next": tf.TensorSpec([None], tf.int32)}
        if self.masker is not None:
            x["places"] = y["masked"] = tf.TensorSpec([None, self.masker.most], tf.int32)
        return x, y

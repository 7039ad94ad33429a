"""Sentence pairs as numbers, on disk and in padded batches."""

import dataclasses
from pathlib import Path

import numpy as np
import tensorflow as tf

from shared.engine.files import atomic_path
from shared.text.subword_tokenizer import END, PAD, START, SubwordTokenizer

# Sentences that are cut into tokens at a time.
CHUNK = 4096


@dataclasses.dataclass(frozen=True)
class Sentences:
    """Token numbers of sentences, one after the other.

    Attributes:
        tokens: int32 (total,).
        ends: int64 (N + 1,). Sentence i is tokens[ends[i]:ends[i + 1]].
    """

    tokens: np.ndarray
    ends: np.ndarray

    def __len__(self) -> int:
        return len(self.ends) - 1

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.ends)

    def take(self, chosen: np.ndarray) -> "Sentences":
        """The sentences with these numbers."""
        return _joined([self.tokens[self.ends[i] : self.ends[i + 1]] for i in chosen])

    def padded(self, chosen: np.ndarray, begin: int | None = None, end: int | None = END):
        """Rows of sentences between tokens `begin` and `end`, int32 (B, longest + 1 or 2)."""
        lengths = self.lengths[chosen]
        first = 0 if begin is None else 1
        width = int(lengths.max(initial=0)) + first + (0 if end is None else 1)
        batch = np.full((len(chosen), width), PAD, np.int32)
        places = np.arange(width)
        inside = (places >= first) & (places < first + lengths[:, None])
        sources = self.ends[chosen][:, None] + places - first
        batch[inside] = self.tokens[sources[inside]]
        if begin is not None:
            batch[:, 0] = begin
        if end is not None:
            batch[np.arange(len(chosen)), first + lengths] = end
        return batch


@dataclasses.dataclass(frozen=True)
class EncodedPairs:
    """Source and target sentences as numbers."""

    source: Sentences
    target: Sentences

    def __len__(self) -> int:
        return len(self.source)

    def take(self, chosen: np.ndarray) -> "EncodedPairs":
        return EncodedPairs(self.source.take(chosen), self.target.take(chosen))

    def batch(self, chosen: np.ndarray):
        """(x, y) of the pairs with these numbers, as `Translator` takes them."""
        x = {
            "source": self.source.padded(chosen),
            "target": self.target.padded(chosen, begin=START, end=None),
        }
        y = {"labels": self.target.padded(chosen), "index": np.asarray(chosen, np.int32)}
        return x, y

    def save(self, path: Path) -> None:
        """Writes one .npz file, atomically."""
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            np.savez(
                file,
                source=self.source.tokens,
                source_ends=self.source.ends,
                target=self.target.tokens,
                target_ends=self.target.ends,
            )

    @classmethod
    def load(cls, path: Path) -> "EncodedPairs":
        with np.load(path, allow_pickle=False) as file:
            return cls(
                Sentences(file["source"], file["source_ends"]),
                Sentences(file["target"], file["target_ends"]),
            )


def batch_spec() -> tuple:
    """The specs of a batch."""
    tokens = tf.TensorSpec([None, None], tf.int32)
    x = {"source": tokens, "target": tokens}
    return x, {"labels": tokens, "index": tf.TensorSpec([None], tf.int32)}


def encode(texts: list[str], tokenizer: SubwordTokenizer) -> Sentences:
    """Cuts sentences into tokens with the same operations that the SavedModel has."""
    rows = []
    for begin in range(0, len(texts), CHUNK):
        part = [text.encode("utf-8", "replace") for text in texts[begin : begin + CHUNK]]
        ragged = tokenizer(tf.constant(part, tf.string))
        rows.append((ragged.values.numpy(), ragged.row_lengths().numpy()))
    tokens = [tokens for tokens, _ in rows]
    lengths = np.concatenate([[0], *(lengths for _, lengths in rows)])
    return Sentences(np.concatenate([np.zeros(0, np.int32), *tokens]), np.cumsum(lengths))


def _joined(rows: list[np.ndarray]) -> Sentences:
    ends = np.cumsum([0, *(len(row) for row in rows)])
    return Sentences(np.concatenate([np.zeros(0, np.int32), *rows]), ends)

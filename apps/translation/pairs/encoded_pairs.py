"""Sentence pairs as token ids, on disk and in padded batches."""

import dataclasses
from pathlib import Path

import numpy as np
import tensorflow as tf

from shared.common.files import atomic_path
from shared.text.sentences import Sentences
from shared.text.special_tokens import END, START
from shared.text.string_tensors import as_strings
from shared.text.subword_tokenizer import SubwordTokenizer

# Sentences that are cut into tokens at a time.
CHUNK = 4096


@dataclasses.dataclass(frozen=True)
class EncodedPairs:
    """Source and target sentences as token ids."""

    source: Sentences
    target: Sentences

    def __len__(self) -> int:
        return len(self.source)

    def take(self, chosen: np.ndarray) -> "EncodedPairs":
        return EncodedPairs(self.source.take(chosen), self.target.take(chosen))

    def batch(self, chosen: np.ndarray):
        """(x, y) of the pairs with these indices, as `Translator` takes them."""
        x = {
            "source": self.source.padded(chosen, end=END),
            "target": self.target.padded(chosen, begin=START),
        }
        y = {"labels": self.target.padded(chosen, end=END), "index": np.asarray(chosen, np.int32)}
        return x, y

    @staticmethod
    def batch_spec() -> tuple:
        """The specs of a batch."""
        tokens = tf.TensorSpec([None, None], tf.int32)
        x = {"source": tokens, "target": tokens}
        return x, {"labels": tokens, "index": tf.TensorSpec([None], tf.int32)}

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


def encode(texts: list[str], tokenizer: SubwordTokenizer) -> Sentences:
    """Cuts sentences into tokens with the same operations that the SavedModel has."""
    rows = []
    for begin in range(0, len(texts), CHUNK):
        ragged = tokenizer(as_strings(texts[begin : begin + CHUNK]))
        rows.append((ragged.values.numpy(), ragged.row_lengths().numpy()))
    tokens = [tokens for tokens, _ in rows]
    lengths = np.concatenate([[0], *(lengths for _, lengths in rows)])
    return Sentences(np.concatenate([np.zeros(0, np.int32), *tokens]), np.cumsum(lengths))

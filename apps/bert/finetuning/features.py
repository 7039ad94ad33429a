"""Features of examples: packed word pieces with labels, on disk and in batches."""

import dataclasses
from pathlib import Path

import numpy as np
import tensorflow as tf

from apps.bert.encoder import IGNORED
from shared.common.files import atomic_path
from shared.text.sentences import Sentences

# Suffixes of the two arrays that sentences are saved as.
_TOKEN_IDS, _ENDS = ".token_ids", ".ends"


@dataclasses.dataclass(frozen=True)
class PackedRows:
    """Rows `[CLS] a [SEP] b [SEP]`.

    Attributes:
        token_ids: the word pieces of R rows.
        pair_starts: int32 (R,). Position of the second segment; the length of rows without one.
    """

    token_ids: Sentences
    pair_starts: np.ndarray

    def __len__(self) -> int:
        return len(self.token_ids)

    def padded(self, chosen: np.ndarray) -> dict[str, np.ndarray]:
        """ "token_ids" and "segment_ids" of rows, int32 (B, T) each."""
        token_ids = self.token_ids.padded(chosen)
        positions = np.arange(token_ids.shape[1])
        second = positions >= self.pair_starts[chosen][:, None]
        inside = positions < self.token_ids.lengths[chosen][:, None]
        return {"token_ids": token_ids, "segment_ids": (second & inside).astype(np.int32)}


@dataclasses.dataclass(frozen=True)
class Features:
    """Inputs and labels of N examples.

    Attributes:
        rows: the packed rows, `choices` for each example.
        labels: (N,) classes, numbers or right choices; (N, 2) first and last token of answers; or
            the tags of all rows, IGNORED where there is none.
        choices: int. Rows of an example.
        cut: int. Examples of which the end is not read; not kept in the file.
        more: arrays that only the evaluation needs, by name. Tagged sentences have "words", the
            index of the word of each piece between [CLS] and [SEP]; see also `question_features`.
    """

    rows: PackedRows
    labels: np.ndarray | Sentences
    choices: int = 1
    more: dict[str, np.ndarray | Sentences] = dataclasses.field(default_factory=dict)
    cut: int = 0

    def __len__(self) -> int:
        return len(self.rows) // self.choices

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of the longest row of each example, (N,)."""
        return self.rows.token_ids.lengths.reshape(-1, self.choices).max(axis=1)

    def batch(self, chosen: np.ndarray):
        """The batch (x, y) of the examples with these indices."""
        if self.choices == 1:
            x = self.rows.padded(chosen)
        else:
            of_choices = chosen[:, None] * self.choices + np.arange(self.choices)
            x = self.rows.padded(of_choices.ravel())
            x = {name: rows.reshape(*of_choices.shape, -1) for name, rows in x.items()}
        return x, {"labels": self._labels(chosen), "index": np.asarray(chosen, np.int32)}

    def _labels(self, chosen: np.ndarray) -> np.ndarray:
        if isinstance(self.labels, Sentences):
            return self.labels.padded(chosen, padding=IGNORED)
        return self.labels[chosen]

    def batch_spec(self) -> tuple:
        """TensorSpecs of a batch."""
        rows = tf.TensorSpec([None] * (2 if self.choices == 1 else 3), tf.int32)
        if isinstance(self.labels, Sentences):
            labels = tf.TensorSpec([None, None], tf.int32)
        else:
            labels = tf.TensorSpec([None, *self.labels.shape[1:]], self.labels.dtype)
        y = {"labels": labels, "index": tf.TensorSpec([None], tf.int32)}
        return {"token_ids": rows, "segment_ids": rows}, y

    def save(self, path: Path) -> None:
        """Writes one .npz file atomically."""
        parts = {"rows": self.rows.token_ids, "labels": self.labels, **self.more}
        arrays = {"choices": self.choices, "pair_starts": self.rows.pair_starts}
        for name, part in parts.items():
            if isinstance(part, Sentences):
                arrays |= {f"{name}{_TOKEN_IDS}": part.tokens, f"{name}{_ENDS}": part.ends}
            else:
                arrays[name] = part
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, **arrays)

    @classmethod
    def load(cls, path: Path) -> "Features":
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        names = [name.removesuffix(_TOKEN_IDS) for name in arrays if name.endswith(_TOKEN_IDS)]
        for name in names:
            arrays[name] = Sentences(
                arrays.pop(f"{name}{_TOKEN_IDS}"), arrays.pop(f"{name}{_ENDS}")
            )
        rows = PackedRows(arrays.pop("rows"), arrays.pop("pair_starts"))
        return cls(rows, arrays.pop("labels"), int(arrays.pop("choices")), arrays)

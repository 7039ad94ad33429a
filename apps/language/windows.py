"""Windows of a row of tokens: random ones to train on, overlapping ones to evaluate on."""

import numpy as np
import tensorflow as tf

from shared.common import stream
from shared.text.special_tokens import PAD


class TrainingWindows:
    """Windows of T + 1 tokens that cover the row once an epoch, in random order.

    In every epoch they begin at another offset, so that each token stands at every position of a
    window sooner or later. Which windows a step has depends on the seed and the step alone.

    Args:
        tokens: int32 (N,), N > T.
        length: int. Tokens T that a model reads of a window; it predicts the T behind the first.
        seed: int. Of the run.
    """

    def __init__(self, tokens: np.ndarray, length: int, seed: int):
        self.tokens, self.length, self.seed = tokens, length, seed
        predicted = len(tokens) - 1
        # One window fewer than there is room for, where there are several: for the offset.
        self.count = max(1, (predicted - (length - 1)) // length)
        self._max_offset = min(length - 1, predicted - self.count * length)

    def __len__(self) -> int:
        return self.count

    def batch(self, positions: np.ndarray) -> dict[str, np.ndarray]:
        """The windows at positions int64 (B,) of the endless stream: "tokens" int32 (B, T + 1)."""
        indices = stream.examples_at(tf.constant(positions), self.count, self.seed).numpy()
        epochs = positions // self.count
        offsets = {epoch: self._offset(epoch) for epoch in np.unique(epochs).tolist()}
        begins = np.array([offsets[epoch] for epoch in epochs.tolist()]) + indices * self.length
        return {"tokens": self.tokens[begins[:, None] + np.arange(self.length + 1)]}

    def _offset(self, epoch: int) -> int:
        generator = np.random.default_rng((self.seed, epoch))
        return int(generator.integers(self._max_offset + 1))

    def batch_spec(self) -> dict[str, tf.TensorSpec]:
        return {"tokens": tf.TensorSpec([None, self.length + 1], tf.int32)}


class EvaluationWindows:
    """Windows in which every token but the first of the row is predicted once.

    A window overlaps the one before: what it predicts there is context, and not counted. The last
    window is filled with padding.

    Args:
        tokens: int32 (N,), N > 1.
        length: int. Tokens that a model reads of a window; fewer where the row is shorter.
        overlap: int. Tokens of each window but the first that are context, less than `length`.
    """

    def __init__(self, tokens: np.ndarray, length: int, overlap: int):
        self.tokens, self.length = tokens, min(length, len(tokens) - 1)
        self.overlap = min(overlap, self.length - 1)

    def __len__(self) -> int:
        stride, predicted = self.length - self.overlap, len(self.tokens) - 1
        return 1 + max(0, -(-(predicted - self.length) // stride))

    def batch(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """Windows by their indices int64 (B,).

        Returns:
            "tokens" int32 (B, T + 1), and "counted" bool (B, T): which of tokens[:, 1:] count.
        """
        begins = np.asarray(indices)[:, None] * (self.length - self.overlap)
        places = begins + np.arange(self.length + 1)
        is_real = places < len(self.tokens)
        tokens = np.where(is_real, self.tokens[np.minimum(places, len(self.tokens) - 1)], PAD)
        is_new = (begins == 0) | (np.arange(self.length) >= self.overlap)
        return {"tokens": tokens.astype(np.int32), "counted": is_real[:, 1:] & is_new}

    def batch_spec(self) -> dict[str, tf.TensorSpec]:
        return {
            "tokens": tf.TensorSpec([None, self.length + 1], tf.int32),
            "counted": tf.TensorSpec([None, self.length], tf.bool),
        }

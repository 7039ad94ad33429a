"""A model whose logits stand in a table, for decoding to be compared with plain Python."""

import numpy as np
import tensorflow as tf

START, END, SIZE = 1, 2, 6


def table(seed: int, sentences: int) -> np.ndarray:
    """Logits of the next token after any two tokens: float32 (B, V, V, V)."""
    generator = np.random.default_rng(seed)
    return generator.normal(size=(sentences, SIZE, SIZE, SIZE)).astype("float32") * 2


def step_of(logits: np.ndarray | tf.Tensor):
    """The model: its state is the token before the last one."""
    rows = tf.convert_to_tensor(logits)

    def step(tokens, index, state):
        here = tf.gather_nd(rows, tf.stack([state["before"], tokens], -1), batch_dims=1)
        return here, {"before": tokens}

    return step


def log_softmax(row: np.ndarray) -> np.ndarray:
    return row - np.log(np.exp(row.astype(np.float64)).sum())

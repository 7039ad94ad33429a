"""Random translations of which none depends on the others in its batch.

`shared.decoding.sampling` draws with one seed for a whole batch. Here each sentence has a seed,
and so numbers, of its own: the draw is made in the step, and the loop takes what was drawn.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from shared.decoding.beam_search import NONE
from shared.decoding.sampling import keep_likely, sample

# Numbers of a sentence, one for each token; always so many, so that they do not depend on how
# long the others of its batch are. Longer ones begin again.
NUMBERS = 2048


def sample_rows(
    step: Callable,
    state: Any,
    *,
    seeds: tf.Tensor,
    limits: tf.Tensor,
    start: int,
    end: int,
    never: tuple[int, ...] = (),
    temperature: tf.Tensor | float = 1.0,
    top_k: tf.Tensor | int = 0,
    top_p: tf.Tensor | float = 1.0,
) -> tf.Tensor:
    """Draws one sequence for each sentence, token by token; the same seed gives the same.

    Args:
        step, state, limits, start, end, never, temperature, top_k, top_p: as for `sample`.
        seeds: int64 (B, 2).

    Returns:
        Tokens int32 (B, L), without the start token; the end token and 0 after the last.
    """
    numbers = uniform_rows(seeds)

    def drawn_step(tokens, index, state):
        logits, state = step(tokens, index, state)
        logits = tf.cast(logits[:, 0], tf.float32)
        for token in never:
            logits = tf.where(tf.range(logits.shape[-1]) == token, NONE, logits)
        likely = keep_likely(logits / tf.maximum(temperature, 1e-6), top_k, top_p)
        chosen = draw(likely, numbers[:, index % NUMBERS])
        return tf.one_hot(chosen, logits.shape[-1], 0.0, NONE)[:, None], state

    found = sample(
        drawn_step, state, limits=limits, start=start, end=end, seed=tf.constant([0, 0]), top_k=1
    )
    return found.tokens[:, 0]


def uniform_rows(seeds: tf.Tensor) -> tf.Tensor:
    """Float32 (B, NUMBERS) in [0, 1): each row depends on its own seed of (B, 2) alone."""
    return tf.map_fn(
        lambda seed: tf.random.stateless_uniform([NUMBERS], seed),
        seeds,
        fn_output_signature=tf.float32,
    )


def draw(logits: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
    """A token of each row of logits (B, V), chosen by a number (B,) in [0, 1): int32 (B,).

    Token t is chosen by the numbers between the summed probabilities of those before it and that
    sum with its own.
    """
    sums = tf.cumsum(tf.nn.softmax(logits), axis=1)
    return tf.math.count_nonzero(sums <= numbers[:, None] * sums[:, -1:], axis=1, dtype=tf.int32)

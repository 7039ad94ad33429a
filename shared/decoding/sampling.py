"""Random sequences from a model that gives logits one token at a time.

Each sentence has a seed of its own, so that its draws do not depend on the others in its batch.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from shared.decoding.beam_search import NONE, Decoded

# Random numbers of a sentence, one for each token; a fixed number, so that they do not depend on
# the lengths of the others of its batch. Longer ones begin again.
NUMBERS = 2048


def sample(
    step: Callable,
    state: Any,
    *,
    limits: tf.Tensor,
    start: int,
    end: int,
    seeds: tf.Tensor,
    never: tuple[int, ...] = (),
    temperature: tf.Tensor | float = 1.0,
    top_k: tf.Tensor | int = 0,
    top_p: tf.Tensor | float = 1.0,
) -> Decoded:
    """Draws one sequence for each sentence, token by token; the same seed gives the same.

    Args:
        step, state, limits, start, end, never: as for `beam_search`, with one hypothesis.
        seeds: int32 or int64 (B, 2), one of each sentence.
        temperature: float scalar. Divides the logits; below 1 prefers likely tokens.
        top_k: int scalar. Draw from this many of the likeliest tokens only; 0 disables.
        top_p: float scalar in (0, 1]. Draw from the smallest set of the likeliest tokens only
            whose probabilities add up to this; 1 disables.

    Returns:
        Decoded with one sequence each; the score is the sum of the model's log-probabilities.

    Reference: [Fan et al., 2018](https://arxiv.org/abs/1805.04833) for top-k;
    [Holtzman et al., 2020](https://arxiv.org/abs/1904.09751) for top-p
    """
    batch_size = tf.size(limits)
    columns = tf.range(tf.reduce_max(limits))
    numbers = uniform_rows(seeds)

    def extend(index, last, tokens, scores, state, done):
        logits, state = step(last[:, None], index, state)
        logits = tf.cast(logits[:, 0], tf.float32)
        possible = logits
        for token in never:
            possible = tf.where(tf.range(logits.shape[-1]) == token, NONE, possible)
        likely = keep_likely(possible / tf.maximum(temperature, 1e-6), top_k, top_p)
        new = draw(likely, numbers[:, index % NUMBERS])
        log_probability = tf.gather(tf.nn.log_softmax(logits), new, batch_dims=1)
        new = tf.where(done, 0, new)
        tokens = tf.where((columns == index) & ~done[:, None], new[:, None], tokens)
        scores += tf.where(done, 0.0, log_probability)
        return index + 1, new, tokens, scores, state, done | (new == end) | (index + 1 >= limits)

    first = (
        tf.constant(0),
        tf.fill([batch_size], start),
        tf.zeros([batch_size, tf.size(columns)], tf.int32),
        tf.zeros([batch_size]),
        state,
        limits <= 0,
    )
    _, _, tokens, scores, _, _ = tf.while_loop(
        lambda *carried: ~tf.reduce_all(carried[-1]), extend, first
    )
    lengths = tf.math.count_nonzero(tokens, axis=-1, dtype=tf.int32)
    return Decoded(tokens[:, None], scores[:, None], lengths[:, None])


def keep_likely(logits: tf.Tensor, top_k: tf.Tensor | int, top_p: tf.Tensor | float) -> tf.Tensor:
    """Logits with all but the likeliest tokens at `NONE`.

    Args:
        logits: float32 (B, V).
        top_k, top_p: see `sample`.
    """
    ordered = tf.sort(logits, direction="DESCENDING")
    probabilities = tf.nn.softmax(ordered)
    before = tf.cumsum(probabilities, axis=-1, exclusive=True)
    rank = tf.range(tf.shape(logits)[-1])
    inside = (before < top_p) & ((rank < top_k) | (tf.convert_to_tensor(top_k) <= 0))
    # The likeliest token always stays.
    threshold = tf.reduce_min(tf.where(inside | (rank == 0), ordered, tf.float32.max), -1, True)
    return tf.where(logits >= threshold, logits, NONE)


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

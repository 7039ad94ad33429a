"""Random sequences from a model that gives logits one token at a time.

Each sentence has a seed of its own, so that its draws do not depend on the others in its batch.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from shared.decoding.beam_search import NONE, Decoded

# Random numbers of a sentence that are made at a time, for each token of the vocabulary and each of
# some steps: which numbers these are depends on it.
NUMBERS = 1 << 14


class _Drawn(NamedTuple):
    """The state of the loop.

    `last` (B,) and `tokens` (B, L) of the sentences so far, `scores` (B,) of log-probabilities,
    the model's `state`, `seen` (B, V) where a token stands in the text, or () without a penalty,
    and the `noise` (B, S, V) of these S steps. `done` (B,) marks finished sentences, so that none
    depends on the others in its batch.
    """

    index: tf.Tensor
    last: tf.Tensor
    tokens: tf.Tensor
    scores: tf.Tensor
    state: Any
    seen: Any
    noise: tf.Tensor
    done: tf.Tensor


def sample(
    step: Callable,
    state: Any,
    *,
    limits: tf.Tensor,
    start: int | tf.Tensor,
    end: int,
    seeds: tf.Tensor,
    vocabulary_size: int,
    never: tuple[int, ...] = (),
    temperature: tf.Tensor | float = 1.0,
    top_k: tf.Tensor | int = 0,
    top_p: tf.Tensor | float = 1.0,
    repetition_penalty: tf.Tensor | float | None = None,
    seen: tf.Tensor | None = None,
    stops: Callable | None = None,
) -> Decoded:
    """Draws one sequence for each sentence, token by token; the same seed gives the same.

    A token is the one with the largest sum of its logit and noise of Gumbel's distribution, which
    has the probabilities of the softmax. Rounding, which depends on the size of the batch, then
    changes a token only where two are level; with a number between 0 and 1 that is looked up in
    summed probabilities, it does so at each of the V borders.

    Args:
        step, state, limits, start, end, never: as for `beam_search`, with one hypothesis.
        seeds: int32 or int64 (B, 2), one of each sentence.
        vocabulary_size: int V.
        temperature: float scalar. Divides the logits; below 1 prefers likely tokens, and 0 takes
            the likeliest one.
        top_k: int scalar. Draw from this many of the likeliest tokens only; 0 disables.
        top_p: float scalar in (0, 1]. Draw from the smallest set of the likeliest tokens only
            whose probabilities add up to this; 1 disables.
        repetition_penalty: float scalar or None. See `penalise_repetition`; 1 changes nothing.
        seen: bool (B, V). Tokens that stand in the text before the first, for the penalty.
        stops: function of tokens int32 (B, L) and the index of the last one, to bool (B,): which
            sentences end with it.

    Returns:
        Decoded with one sequence each; the score is the sum of the model's log-probabilities.

    Reference: [Fan et al., 2018](https://arxiv.org/abs/1805.04833) for top-k;
    [Holtzman et al., 2020](https://arxiv.org/abs/1904.09751) for top-p;
    [Maddison et al., 2014](https://arxiv.org/abs/1411.0030), section 2, for the noise
    """
    batch_size = tf.size(limits)
    columns = tf.range(tf.reduce_max(limits))
    steps = max(1, NUMBERS // vocabulary_size)
    penalised = repetition_penalty is not None
    is_never = tf.constant(np.isin(np.arange(vocabulary_size), never))

    def extend(drawn: _Drawn):
        index, done = drawn.index, drawn.done
        logits, state = step(drawn.last[:, None], index, drawn.state)
        logits = tf.cast(logits[:, 0], tf.float32)
        possible = logits
        if penalised:
            possible = penalise_repetition(possible, drawn.seen, repetition_penalty)
        possible = tf.where(is_never, NONE, possible)
        likely = keep_likely(possible / tf.maximum(temperature, 1e-6), top_k, top_p)
        noise = tf.cond(
            index % steps == 0,
            lambda: gumbel_noise(seeds, index // steps, steps, vocabulary_size),
            lambda: drawn.noise,
        )
        new = tf.argmax(likely + noise[:, index % steps], axis=-1, output_type=tf.int32)
        log_probability = tf.gather(tf.nn.log_softmax(logits), new, batch_dims=1)
        new = tf.where(done, 0, new)
        tokens = tf.where((columns == index) & ~done[:, None], new[:, None], drawn.tokens)
        ends = (new == end) | (index + 1 >= limits)
        if stops is not None:
            ends |= stops(tokens, index)
        return _Drawn(
            index + 1,
            new,
            tokens,
            drawn.scores + tf.where(done, 0.0, log_probability),
            state,
            with_token(drawn.seen, new) if penalised else (),
            noise,
            done | ends,
        )

    first = _Drawn(
        tf.constant(0),
        tf.broadcast_to(start, [batch_size]),
        tf.zeros([batch_size, tf.size(columns)], tf.int32),
        tf.zeros([batch_size]),
        state,
        seen if penalised else (),
        tf.zeros([batch_size, steps, vocabulary_size]),
        limits <= 0,
    )
    (last,) = tf.while_loop(
        lambda drawn: ~tf.reduce_all(drawn.done), lambda drawn: (extend(drawn),), (first,)
    )
    lengths = tf.math.count_nonzero(last.tokens, axis=-1, dtype=tf.int32)
    return Decoded(last.tokens[:, None], last.scores[:, None], lengths[:, None])


def penalise_repetition(
    logits: tf.Tensor, seen: tf.Tensor, penalty: tf.Tensor | float
) -> tf.Tensor:
    """Logits with those of tokens that stand in the text made less likely.

    A positive logit is divided by the penalty, a negative one multiplied with it.

    Args:
        logits: float32 (B, V).
        seen: bool (B, V).
        penalty: float scalar, 1 or more.

    Reference: [Keskar et al., 2019](https://arxiv.org/abs/1909.05858), section 4.1
    """
    lower = tf.where(logits > 0, logits / penalty, logits * penalty)
    return tf.where(seen, lower, logits)


def with_token(seen: tf.Tensor, tokens: tf.Tensor) -> tf.Tensor:
    """Bool (B, V) with the tokens (B,) of each row added."""
    return seen | (tf.range(tf.shape(seen)[1]) == tokens[:, None])


def keep_likely(logits: tf.Tensor, top_k: tf.Tensor | int, top_p: tf.Tensor | float) -> tf.Tensor:
    """Logits with all but the likeliest tokens at `NONE`; sorted only where one is left out.

    Args:
        logits: float32 (B, V).
        top_k, top_p: see `sample`.
    """
    leaves_out = (tf.convert_to_tensor(top_k) > 0) | (tf.convert_to_tensor(top_p) < 1)
    return tf.cond(leaves_out, lambda: _only_likely(logits, top_k, top_p), lambda: logits)


def _only_likely(logits, top_k, top_p):
    ordered = tf.sort(logits, direction="DESCENDING")
    probabilities = tf.nn.softmax(ordered)
    before = tf.cumsum(probabilities, axis=-1, exclusive=True)
    rank = tf.range(tf.shape(logits)[-1])
    inside = (before < top_p) & ((rank < top_k) | (tf.convert_to_tensor(top_k) <= 0))
    # The likeliest token always stays.
    threshold = tf.reduce_min(tf.where(inside | (rank == 0), ordered, tf.float32.max), -1, True)
    return tf.where(logits >= threshold, logits, NONE)


def gumbel_noise(
    seeds: tf.Tensor, block: tf.Tensor | int, steps: int, vocabulary_size: int
) -> tf.Tensor:
    """Noise of Gumbel's distribution: each row depends on its own seed and the block alone.

    Args:
        seeds: int32 or int64 (B, 2).
        block: int scalar. The number of the block of steps.
        steps, vocabulary_size: int. S and V.

    Returns:
        float32 (B, S, V).
    """

    def uniform(seed):
        seed = tf.random.experimental.stateless_fold_in(seed, tf.cast(block, seed.dtype))
        return tf.random.stateless_uniform([steps, vocabulary_size], seed)

    numbers = tf.map_fn(uniform, seeds, fn_output_signature=tf.float32)
    numbers = tf.ensure_shape(numbers, [None, steps, vocabulary_size])
    return -tf.math.log(-tf.math.log(numbers))

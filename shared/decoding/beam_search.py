"""Beam search in the graph, for any model that gives logits one token at a time.

The model is three functions of tensors with B sentences and K hypotheses of each:

    step(tokens (B, K), index, state) -> (logits (B, K, V), state)
    reorder(state, parents (B, K)) -> state        hypothesis k continues parents[b, k]
    the state before the first token

All shapes are the same in every step, so that XLA can compile the loop.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from shared.decoding.top_k import top_k

# The score of a hypothesis that does not exist; finite, so that no difference is NaN.
NONE = -1e9


class Decoded(NamedTuple):
    """The best sequences of each sentence, best first.

    Attributes:
        tokens: int32 (B, N, L), without the start token; the end token and 0 after the last.
        scores: float32 (B, N), sum of log-probabilities over the length penalty.
        lengths: int32 (B, N), the end token included.
    """

    tokens: tf.Tensor
    scores: tf.Tensor
    lengths: tf.Tensor


class _Search(NamedTuple):
    """The state of the loop.

    `tokens` (B, K, L), `sums` (B, K) of log-probabilities and the model's `state` are of the
    living hypotheses; `ended_tokens` and `ended_scores` of the best ones that ended. `done` (B,)
    marks finished sentences, so that none depends on the others in its batch.
    """

    index: tf.Tensor
    tokens: tf.Tensor
    sums: tf.Tensor
    state: Any
    ended_tokens: tf.Tensor
    ended_scores: tf.Tensor
    done: tf.Tensor


def beam_search(
    step: Callable,
    state: Any,
    reorder: Callable,
    *,
    beam_size: int | tf.Tensor,
    limits: tf.Tensor,
    start: int | tf.Tensor,
    end: int,
    never: tuple[int, ...] = (),
    length_penalty: tf.Tensor | float = 0.6,
    length_rule: str = "wu",
    num_best: int | tf.Tensor = 1,
    must_end: bool = True,
) -> Decoded:
    """The sequences of highest log-probability, found with a beam.

    A hypothesis ends with the end token; at its sentence's limit no other may follow, so that one
    that was cut pays for it; where texts need not end, those at the limit count as they are. A
    sentence is done when K hypotheses have ended and the best living one, at its present length,
    is worse than all.

    Args:
        step, state, reorder: the model, see above.
        beam_size: int or int32 scalar K; 1 is greedy search. XLA wants an int.
        limits: int32 (B,). Maximum tokens of each sentence, the end token included.
        start: token before the first, or int32 (B,), one of each sentence.
        end: token.
        never: tokens that are never taken (padding).
        length_penalty: float scalar alpha, see `penalty`.
        length_rule: "wu" or "power", see `penalty`. With "power" a hypothesis ends only where it is
            among the best K of the candidates, as in fairseq, Marian and transformers.
        num_best: int N, at most `beam_size`. Sequences to return for each sentence.
        must_end: bool. Whether the last token at the limit has to be the end token.

    Reference: [Wu et al., 2016, section 7](https://arxiv.org/abs/1609.08144) for the penalty.
    """
    alpha = tf.cast(length_penalty, tf.float32)

    def extend(search: _Search):
        last = tf.gather(search.tokens, tf.maximum(search.index - 1, 0), axis=2)
        last = tf.where(search.index == 0, tf.reshape(start, [-1, 1]), last)
        logits, state = step(last, search.index, search.state)
        length = search.index + 1
        at_limit = length >= limits
        # Twice as many candidates as hypotheses, so that K live on even if K of them end.
        sums, parents, tokens = _best_continuations(
            logits, search.sums, 2 * beam_size, never, end, must_end=at_limit & must_end
        )
        candidates = _append(search.tokens, parents, tokens, search.index)
        ends = ((tokens == end) | (at_limit & (not must_end))[:, None]) & ~search.done[:, None]
        if length_rule == "power":
            ends &= tf.range(tf.shape(ends)[1]) < beam_size
        scores = tf.where(ends, sums / penalty(length, alpha, length_rule), NONE)
        ended_tokens, ended_scores = _best_ended(search, candidates, scores)
        sums, chosen = tf.math.top_k(tf.where(tokens == end, NONE, sums), beam_size)
        hopeless = sums[:, 0] / penalty(length, alpha, length_rule) <= ended_scores[:, -1]
        return _Search(
            length,
            gather_hypotheses(candidates, chosen),
            sums,
            reorder(state, gather_hypotheses(parents, chosen)),
            ended_tokens,
            ended_scores,
            search.done | hopeless | at_limit,
        )

    (last,) = tf.while_loop(
        lambda search: ~tf.reduce_all(search.done),
        lambda search: (extend(search),),
        (_first(state, beam_size, limits),),
    )
    tokens = last.ended_tokens[:, :num_best]
    lengths = tf.math.count_nonzero(tokens, axis=-1, dtype=tf.int32)
    return Decoded(tokens, last.ended_scores[:, :num_best], lengths)


def penalty(length: tf.Tensor, alpha: tf.Tensor, rule: str = "wu") -> tf.Tensor:
    """The length penalty, 1 for a single token; any shape, float32.

    Args:
        length: tokens of a hypothesis.
        alpha: float scalar. 0 disables it.
        rule: "wu" for ((5 + length) / 6) ** alpha, "power" for length ** alpha, with which 1 scores
            by the mean log-probability of a token.
    """
    length = tf.cast(length, tf.float32)
    return (length if rule == "power" else (5.0 + length) / 6.0) ** alpha


def gather_hypotheses(tensors: Any, chosen: tf.Tensor) -> Any:
    """Rows `chosen` (B, K) of axis 1 of every tensor (B, N, ...): nested (B, K, ...)."""
    return tf.nest.map_structure(lambda t: tf.gather(t, chosen, axis=1, batch_dims=1), tensors)


def _first(state, beam_size, limits) -> _Search:
    """One hypothesis without tokens for each sentence, and none that ended."""
    batch_size = tf.size(limits)
    empty = tf.zeros([batch_size, beam_size, tf.reduce_max(limits)], tf.int32)
    none = tf.fill([batch_size, beam_size], NONE)
    only_first = tf.one_hot(0, beam_size, on_value=0.0, off_value=NONE)
    sums = tf.zeros([batch_size, 1]) + only_first
    return _Search(tf.constant(0), empty, sums, state, empty, none, limits <= 0)


def _best_continuations(logits, sums, count, never: tuple[int, ...], end: int, must_end):
    """The `count` best one-token continuations of all hypotheses of each sentence.

    Where a sentence `must_end` (B,), these are END, whatever its probability.

    Returns:
        Sums of log-probabilities float32, parents int32 and tokens int32, (B, count) each.
    """
    logits = tf.cast(logits, tf.float32)
    # The best of all are among the best of each hypothesis, and END, which may be none of them.
    width = tf.minimum(count + len(never), logits.shape[-1])
    top, tokens = top_k(logits, width)
    normalizer = _log_sum_exp(logits, top[..., :1])
    going_on, ending = top - normalizer, logits[..., end : end + 1] - normalizer
    for token in never:
        going_on = tf.where(tokens == token, NONE, going_on)
    must_end = must_end[:, None, None]
    log_probabilities = tf.concat(
        [tf.where(must_end, NONE, going_on), tf.where(must_end, ending, NONE)], axis=-1
    )
    tokens = tf.concat([tokens, tf.fill(tf.shape(ending), end)], axis=-1)
    each = width + 1
    totals = log_probabilities + sums[..., None]
    flat_shape = [tf.shape(totals)[0], tf.shape(totals)[1] * each]
    best, indices = tf.math.top_k(tf.reshape(totals, flat_shape), count)
    tokens = tf.gather(tf.reshape(tokens, flat_shape), indices, batch_dims=1)
    return best, indices // each, tokens


def _log_sum_exp(logits, largest):
    """Logarithm of the summed exponentials of logits (B, K, V), as (B, K, 1).

    The largest logit has the probability exp(largest - log sum). TensorFlow's softmax is one
    operation and much faster than the sum itself.
    """
    return largest - tf.math.log(tf.reduce_max(tf.nn.softmax(logits), -1, keepdims=True))


def _append(tokens, parents, new, index):
    """Hypotheses with one more token: int32 (B, N, L).

    Args:
        tokens: int32 (B, K, L), those before.
        parents, new: int32 (B, N). Hypothesis that each continues, and its token.
        index: int32 scalar. Column of the token.
    """
    here = tf.range(tf.shape(tokens)[2]) == index
    return tf.where(here, new[..., None], gather_hypotheses(tokens, parents))


def _best_ended(search: _Search, tokens, scores):
    """The best K of the hypotheses that ended before and of those that end now, in order."""
    all_scores = tf.concat([search.ended_scores, scores], axis=1)
    all_tokens = tf.concat([search.ended_tokens, tokens], axis=1)
    best, chosen = tf.math.top_k(all_scores, tf.shape(search.ended_scores)[1])
    return gather_hypotheses(all_tokens, chosen), best

"""Answers as spans of a context: windows over long contexts, and the best span of their scores.

As in [Devlin et al., 2019](https://arxiv.org/abs/1810.04805), sections 4.2 and 4.3, the model reads
`[CLS] question [SEP] part of the context [SEP]` and scores every position as the first and as the
last token of the answer. The score of a span is the sum of both; the score of no answer is that of
`[CLS]` as first and last. Windows are made in the graph, for training and serving alike.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from apps.bert.checkpoint.tokenizer_files import Tokenizer
from shared.text.token_packing import keep_first

# Longer questions are cut, as in the paper's code.
MAX_QUESTION = 64


class Windows(NamedTuple):
    """R windows over the contexts of N questions; R is at least N.

    Attributes:
        token_ids, segment_ids: int32 (R, T). Inputs of the model.
        question: int64 (R,). Index of the question of each window, ascending.
        context_start: int64 (R,). Position in the row of the part of the context.
        first_token: int64 (R,). Index in the context of the first token of the part.
        num_tokens: int64 (R,). Tokens of the part; 0 for an empty context.
    """

    token_ids: tf.Tensor
    segment_ids: tf.Tensor
    question: tf.Tensor
    context_start: tf.Tensor
    first_token: tf.Tensor
    num_tokens: tf.Tensor


class BestSpans(NamedTuple):
    """The best answer to each of N questions.

    Attributes:
        score: float32 (N,). First plus last logit.
        first_token, last_token: int32 (N,). Indices in the context; -1 if there is no span at all.
        null_score: float32 (N,). Score of no answer, in the window where it is least likely.
    """

    score: tf.Tensor
    first_token: tf.Tensor
    last_token: tf.Tensor
    null_score: tf.Tensor


def make_windows(
    tokenizer: Tokenizer,
    questions: tf.RaggedTensor,
    contexts: tf.RaggedTensor,
    max_length: int,
    stride: int,
) -> Windows:
    """Packs questions with parts of their contexts.

    Args:
        tokenizer: packs the rows.
        questions, contexts: int32 (N, None). Word pieces.
        max_length: int. Longest row in tokens, at least 8.
        stride: int. Tokens that a window and the next one share; at most half of a window.

    Returns:
        The `Windows`, those of a question next to each other.
    """
    max_question = tf.constant(longest_question(max_length), tf.int64)
    questions = keep_first(questions, tf.fill([questions.nrows()], max_question))
    room = max_length - 2 - tokenizer.between - questions.row_lengths()
    step = room - tf.minimum(tf.constant(stride, tf.int64), room // 2)
    beyond = tf.maximum(contexts.row_lengths() - room, 0)
    count = 1 + -(-beyond // step)
    question = tf.repeat(tf.range(questions.nrows()), count)
    first_token = tf.ragged.range(count).values * tf.gather(step, question)
    rest = tf.gather(contexts.row_lengths(), question) - first_token
    num_tokens = tf.minimum(tf.gather(room, question), rest)
    begin = tf.gather(contexts.row_starts(), question) + first_token
    part = tf.ragged.range(begin, begin + num_tokens)
    part = part.with_values(tf.gather(contexts.values, part.values))
    repeated = tf.gather(questions, question)
    packed = tokenizer.pack(repeated, part, max_length)
    return Windows(
        packed["token_ids"],
        packed["segment_ids"],
        question,
        repeated.row_lengths() + 1 + tokenizer.between,
        first_token,
        num_tokens,
    )


def longest_question(max_length: int) -> int:
    """Word pieces of a question that are read, in rows of `max_length`."""
    return min(MAX_QUESTION, (max_length - 3) // 2)


def answer_positions(
    windows: Windows,
    starts: tf.RaggedTensor,
    ends: tf.RaggedTensor,
    answers: Sequence[tuple[int, int] | None],
) -> np.ndarray:
    """Positions of the answers in the rows, the labels of training.

    Args:
        windows: windows of N questions.
        starts, ends: int (N, None). Character offsets of the tokens of the contexts.
        answers: (start, end) character offsets of an answer to each question, or None.

    Returns:
        int32 (R, 2): positions of the first and the last token; 0, 0 ([CLS]) where the answer, or
        a part of it, is not in the window.
    """
    positions = np.zeros((len(windows.question), 2), np.int32)
    starts, ends = starts.to_list(), ends.to_list()
    rows = zip(*(np.asarray(column) for column in windows[2:]), strict=True)
    for row, (question, context_start, first_token, num_tokens) in enumerate(rows):
        if answers[question] is None:
            continue
        begin, end = answers[question]
        # The tokens that overlap with the answer.
        low = int(np.searchsorted(ends[question], begin, side="right"))
        high = int(np.searchsorted(starts[question], end, side="left")) - 1
        if first_token <= low <= high < first_token + num_tokens:
            offset = context_start - first_token
            positions[row] = low + offset, high + offset
    return positions


def best_spans(
    start_logits: tf.Tensor, end_logits: tf.Tensor, windows: Windows, max_answer_length: int
) -> BestSpans:
    """The best span of all windows of each question, in the graph.

    Args:
        start_logits, end_logits: float (R, T).
        windows: R windows of N questions.
        max_answer_length: int. Longest answer in tokens.

    Returns:
        The `BestSpans`. Of equal scores the first window wins, within it the shortest span, then
        the first one.
    """
    starts, ends = (_in_context(logits, windows) for logits in (start_logits, end_logits))
    score, position, extra = _best_in_window(starts, ends, max_answer_length)
    first_token = windows.first_token + position - windows.context_start
    null = tf.reduce_sum(tf.cast(start_logits + end_logits, tf.float32)[:, :1], axis=1)

    splits = tf.searchsorted(windows.question, tf.range(_count(windows) + 1))
    splits = tf.cast(splits, tf.int64)
    by_question = tf.RaggedTensor.from_row_splits(score, splits, validate=False)
    by_question = tf.pad(by_question.to_tensor(-np.inf), [[0, 0], [0, 1]], constant_values=-np.inf)
    chosen = splits[:-1] + tf.argmax(by_question, axis=1)
    found = tf.gather(score, chosen) > -np.inf
    first, last = tf.gather(first_token, chosen), tf.gather(first_token + extra, chosen)
    return BestSpans(
        tf.gather(score, chosen),
        tf.cast(tf.where(found, first, -1), tf.int32),
        tf.cast(tf.where(found, last, -1), tf.int32),
        tf.math.segment_min(null, windows.question),
    )


def span_offsets(
    spans: BestSpans, starts: tf.RaggedTensor, ends: tf.RaggedTensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Character offsets of the best spans, int32 (N,) each: 0, 0 where there is none.

    Args:
        spans: best spans of N questions.
        starts, ends: int32 (N, None). Character offsets of the tokens of the contexts.
    """
    found = spans.first_token >= 0
    # One more value, so that gathering from an empty last row is in bounds.
    begin = tf.concat([starts.values, [0]], 0)
    end = tf.concat([ends.values, [0]], 0)
    rows = tf.cast(starts.row_starts(), tf.int32)
    first, last = (
        tf.where(found, rows + token, 0) for token in (spans.first_token, spans.last_token)
    )
    return (
        tf.where(found, tf.gather(begin, first), 0),
        tf.where(found, tf.gather(end, last), 0),
    )


def _best_in_window(
    starts: tf.Tensor, ends: tf.Tensor, max_answer_length: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """(score, first position, further tokens) of the best span of each row of (R, T)."""
    width = tf.shape(starts)[1]
    padded = tf.pad(ends, [[0, 0], [0, max_answer_length]], constant_values=-np.inf)
    score = tf.fill([tf.shape(starts)[0]], -np.inf)
    position = extra = tf.zeros_like(score, tf.int64)
    # One length at a time: all at once would need `max_answer_length` times the memory.
    for more in range(max_answer_length):
        sums = starts + padded[:, more : more + width]
        best = tf.reduce_max(sums, axis=1)
        better = best > score
        position = tf.where(better, tf.argmax(sums, axis=1), position)
        extra = tf.where(better, tf.constant(more, tf.int64), extra)
        score = tf.maximum(score, best)
    return score, position, extra


def _count(windows: Windows) -> tf.Tensor:
    """Number of questions; each has at least one window."""
    return tf.reduce_max(tf.concat([[-1], windows.question], 0)) + 1


def _in_context(logits: tf.Tensor, windows: Windows) -> tf.Tensor:
    """Logits in float32, -inf outside the part of the context and in one additional column."""
    position = tf.range(tf.shape(logits, tf.int64)[1])[None]
    begin = windows.context_start[:, None]
    inside = (position >= begin) & (position < begin + windows.num_tokens[:, None])
    logits = tf.where(inside, tf.cast(logits, tf.float32), -np.inf)
    # So that a window without positions has a maximum, too.
    return tf.pad(logits, [[0, 0], [0, 1]], constant_values=-np.inf)

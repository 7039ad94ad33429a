"""Answers as spans of a context: windows over long contexts, and the best span of their scores.

The way of [Devlin et al., 2019](https://arxiv.org/abs/1810.04805), section 4.2 and 4.3: the model
sees `[CLS] question [SEP] part of the context [SEP]` and scores every position as the first and
as the last token of the answer. The score of a span is the sum of both; that of no answer is the
score of `[CLS]` as first and last. Windows are cut in the graph, for training and serving alike.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from shared.text.token_packing import keep_first
from shared.text.wordpiece_tokenizer import WordPieceTokenizer

# Longer questions are cut, as in the paper's code.
MAX_QUESTION = 64


class Windows(NamedTuple):
    """R windows over the contexts of N questions; R is at least N.

    Attributes:
        tokens, segments: int32 (R, T). What the model reads.
        question: int64 (R,). The question of each window, ascending.
        place: int64 (R,). Where in the row the part of the context begins.
        first: int64 (R,). The number, in its context, of the first token of the part.
        length: int64 (R,). Tokens of the part; 0 for an empty context.
    """

    tokens: tf.Tensor
    segments: tf.Tensor
    question: tf.Tensor
    place: tf.Tensor
    first: tf.Tensor
    length: tf.Tensor


class BestSpans(NamedTuple):
    """The best answer to each of N questions.

    Attributes:
        score: float32 (N,). First plus last logit.
        first, last: int32 (N,). Tokens of the context; -1 if there is no span at all.
        null_score: float32 (N,). The same of no answer, in the window where it is least likely.
    """

    score: tf.Tensor
    first: tf.Tensor
    last: tf.Tensor
    null_score: tf.Tensor


def make_windows(
    tokenizer: WordPieceTokenizer,
    questions: tf.RaggedTensor,
    contexts: tf.RaggedTensor,
    max_length: int,
    stride: int,
) -> Windows:
    """Packs questions with parts of their contexts.

    Args:
        questions, contexts: int32 (N, None). Word pieces.
        max_length: int. Most tokens of a row, at least 8.
        stride: int. Tokens that a window and the next one share; at most half of a window.

    Returns:
        The `Windows`, those of a question one after the other.
    """
    longest = min(MAX_QUESTION, (max_length - 3) // 2)
    questions = keep_first(questions, tf.fill([questions.nrows()], tf.constant(longest, tf.int64)))
    room = max_length - 3 - questions.row_lengths()
    step = room - tf.minimum(tf.constant(stride, tf.int64), room // 2)
    beyond = tf.maximum(contexts.row_lengths() - room, 0)
    count = 1 + -(-beyond // step)
    question = tf.repeat(tf.range(questions.nrows()), count)
    first = tf.ragged.range(count).values * tf.gather(step, question)
    rest = tf.gather(contexts.row_lengths(), question) - first
    length = tf.minimum(tf.gather(room, question), rest)
    begin = tf.gather(contexts.row_starts(), question) + first
    part = tf.ragged.range(begin, begin + length)
    part = part.with_values(tf.gather(contexts.values, part.values))
    asked = tf.gather(questions, question)
    packed = tokenizer.pack(asked, part, max_length)
    return Windows(
        packed["tokens"], packed["segments"], question, asked.row_lengths() + 2, first, length
    )


def answer_positions(
    windows: Windows,
    starts: tf.RaggedTensor,
    ends: tf.RaggedTensor,
    answers: Sequence[tuple[int, int] | None],
) -> np.ndarray:
    """Where in the rows the answers are, for training.

    Args:
        windows: of N questions.
        starts, ends: int (N, None). Offsets of the tokens of the contexts.
        answers: (start, end) characters of an answer to each question, or None.

    Returns:
        int32 (R, 2): positions of the first and the last token; 0, 0 ([CLS]) where the answer, or
        a part of it, is not in the window.
    """
    positions = np.zeros((len(windows.question), 2), np.int32)
    starts, ends = starts.to_list(), ends.to_list()
    rows = zip(*(np.asarray(windows[name]) for name in range(2, 6)), strict=True)
    for row, (question, place, first, length) in enumerate(rows):
        if answers[question] is None:
            continue
        begin, end = answers[question]
        # Tokens that have a character of the answer.
        low = int(np.searchsorted(ends[question], begin, side="right"))
        high = int(np.searchsorted(starts[question], end, side="left")) - 1
        if first <= low <= high < first + length:
            positions[row] = place + low - first, place + high - first
    return positions


def best_spans(
    start_logits: tf.Tensor, end_logits: tf.Tensor, windows: Windows, max_answer_length: int
) -> BestSpans:
    """The best span of all windows of each question, in the graph.

    Args:
        start_logits, end_logits: float (R, T).
        windows: R windows of N questions.
        max_answer_length: int. Most tokens of an answer.

    Returns:
        The `BestSpans`. Of equal scores that of the first window is taken, of several there the
        shortest, then the first one.
    """
    starts, ends = (_in_context(logits, windows) for logits in (start_logits, end_logits))
    score, position, extra = _best_in_window(starts, ends, max_answer_length)
    first = windows.first + position - windows.place
    null = tf.reduce_sum(tf.cast(start_logits + end_logits, tf.float32)[:, :1], axis=1)

    splits = tf.searchsorted(windows.question, tf.range(_count(windows) + 1))
    splits = tf.cast(splits, tf.int64)
    by_question = tf.RaggedTensor.from_row_splits(score, splits, validate=False)
    by_question = tf.pad(by_question.to_tensor(-np.inf), [[0, 0], [0, 1]], constant_values=-np.inf)
    chosen = splits[:-1] + tf.argmax(by_question, axis=1)
    found = tf.gather(score, chosen) > -np.inf
    first, last = tf.gather(first, chosen), tf.gather(first + extra, chosen)
    return BestSpans(
        tf.gather(score, chosen),
        tf.cast(tf.where(found, first, -1), tf.int32),
        tf.cast(tf.where(found, last, -1), tf.int32),
        tf.math.segment_min(null, windows.question),
    )


def span_offsets(
    spans: BestSpans, starts: tf.RaggedTensor, ends: tf.RaggedTensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Characters of the best spans, int32 (N,) each: 0, 0 where there is none.

    Args:
        spans: of N questions.
        starts, ends: int32 (N, None). Offsets of the tokens of the contexts.
    """
    found = spans.first >= 0
    # One more value, so that there is something to gather from an empty row at the end.
    begin = tf.concat([starts.values, [0]], 0)
    end = tf.concat([ends.values, [0]], 0)
    rows = tf.cast(starts.row_starts(), tf.int32)
    first, last = (tf.where(found, rows + token, 0) for token in (spans.first, spans.last))
    return (
        tf.where(found, tf.gather(begin, first), 0),
        tf.where(found, tf.gather(end, last), 0),
    )


def _best_in_window(
    starts: tf.Tensor, ends: tf.Tensor, longest: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """(score, first position, tokens after it) of the best span of each row of (R, T)."""
    width = tf.shape(starts)[1]
    padded = tf.pad(ends, [[0, 0], [0, longest]], constant_values=-np.inf)
    score = tf.fill([tf.shape(starts)[0]], -np.inf)
    position = extra = tf.zeros_like(score, tf.int64)
    # One length after the other: all at once would need as many times the memory.
    for more in range(longest):
        sums = starts + padded[:, more : more + width]
        best = tf.reduce_max(sums, axis=1)
        better = best > score
        position = tf.where(better, tf.argmax(sums, axis=1), position)
        extra = tf.where(better, tf.constant(more, tf.int64), extra)
        score = tf.maximum(score, best)
    return score, position, extra


def _count(windows: Windows) -> tf.Tensor:
    """How many questions the windows are of: each has one at least."""
    return tf.reduce_max(tf.concat([[-1], windows.question], 0)) + 1


def _in_context(logits: tf.Tensor, windows: Windows) -> tf.Tensor:
    """Logits in float32, -inf outside the part of the context and in one more column."""
    place = tf.range(tf.shape(logits, tf.int64)[1])[None]
    begin = windows.place[:, None]
    inside = (place >= begin) & (place < begin + windows.length[:, None])
    logits = tf.where(inside, tf.cast(logits, tf.float32), -np.inf)
    # So that there is a best of no positions, too.
    return tf.pad(logits, [[0, 0], [0, 1]], constant_values=-np.inf)

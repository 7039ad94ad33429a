"""Features of questions: windows over their contexts."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from apps.bert.checkpoint.tokenizer_files import Tokenizer
from apps.bert.finetuning.features import Features, PackedRows
from apps.bert.finetuning.questions.spans import (
    Windows,
    answer_positions,
    longest_question,
    make_windows,
)
from apps.bert.tasks.examples import QuestionExample
from shared.text.sentences import Sentences
from shared.text.string_tensors import as_strings

# Questions that are tokenised at a time.
CHUNK = 256
# Fields of `Windows` beside the rows, in the order of the columns of "windows".
COLUMNS = ("question", "context_start", "first_token", "num_tokens")


def question_features(
    examples: Sequence[QuestionExample],
    tokenizer: Tokenizer,
    max_length: int,
    stride: int,
) -> Features:
    """Windows of questions; the labels are the first and last token of the first answer.

    Those of an answer that has no place are 0, 0, as where there is none: such questions are only
    scored, by text.

    Args:
        examples: the questions.
        tokenizer: tokenizer of the run.
        max_length: int. Longest row in word pieces.
        stride: int. Word pieces that windows share.

    Returns:
        Features with R windows; `more` has "windows", int64 (R, 4), see `COLUMNS`, and "starts"
        and "ends", the character offsets of the word pieces of each context.
    """
    rows, labels, windows_of_all, starts, ends, cut = [], [], [], [], [], 0
    longest = longest_question(max_length)
    for begin in range(0, len(examples), CHUNK):
        part = examples[begin : begin + CHUNK]
        questions = tokenizer(as_strings(example.question for example in part))
        contexts, *offsets = tokenizer.tokenize_with_offsets(
            as_strings(example.context for example in part)
        )
        cut += int((questions.row_lengths().numpy() > longest).sum())
        windows = make_windows(tokenizer, questions, contexts, max_length, stride)
        labels.append(answer_positions(windows, *offsets, [_first_answer(e) for e in part]))
        columns = np.stack([getattr(windows, name).numpy() for name in COLUMNS], axis=1)
        columns[:, 0] += begin
        windows_of_all.append(columns)
        token_ids, segment_ids = windows.token_ids.numpy(), windows.segment_ids.numpy()
        lengths = (token_ids != tokenizer.pad).sum(axis=1)
        rows += [
            (row[:length], length - second)
            for row, length, second in zip(token_ids, lengths, segment_ids.sum(axis=1), strict=True)
        ]
        starts += _split(offsets[0])
        ends += _split(offsets[1])
    packed = PackedRows(
        Sentences.of(row for row, _ in rows), np.array([start for _, start in rows], np.int32)
    )
    more = {
        "windows": np.concatenate(windows_of_all),
        "starts": Sentences.of(starts),
        "ends": Sentences.of(ends),
    }
    return Features(packed, np.concatenate(labels), more=more, cut=cut)


def read_windows(features: Features) -> Windows:
    """The windows of features, without their rows, for `best_spans`."""
    columns = (tf.constant(column) for column in features.more["windows"].T)
    no_rows = tf.zeros([0, 0], tf.int32)
    return Windows(no_rows, no_rows, *columns)


def ragged(sentences: Sentences) -> tf.RaggedTensor:
    """Sentences as a ragged tensor."""
    return tf.RaggedTensor.from_row_splits(
        sentences.tokens, sentences.ends.astype(np.int64), validate=False
    )


def _first_answer(example: QuestionExample) -> tuple[int, int] | None:
    """Character offsets of the first answer."""
    if not example.answers:
        return None
    text, start = example.answers[0]
    return None if start is None else (start, start + len(text))


def _split(values: tf.RaggedTensor) -> list[np.ndarray]:
    return np.split(values.values.numpy(), values.row_splits.numpy()[1:-1])

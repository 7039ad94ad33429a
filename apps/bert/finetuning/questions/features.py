"""Questions to features: windows over their contexts."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from apps.bert.finetuning.features import Features, PackedRows
from apps.bert.finetuning.questions.spans import Windows, answer_positions, make_windows
from apps.bert.tasks.examples import QuestionExample
from shared.text.sentences import Sentences
from shared.text.string_tensors import as_strings
from shared.text.wordpiece_tokenizer import WordPieceTokenizer

# Questions that are cut into word pieces at a time.
CHUNK = 256
# What `Windows` has beside the rows themselves, in the order of the columns of "windows".
PLACES = ("question", "place", "first", "length")


def question_features(
    examples: Sequence[QuestionExample],
    tokenizer: WordPieceTokenizer,
    max_length: int,
    stride: int,
) -> Features:
    """Windows of questions; the labels are the first answer's first and last token.

    Returns:
        Features with R windows; `more` has "windows", int64 (R, 4), see `PLACES`, and "starts" and
        "ends", where the word pieces of each context are, in characters.
    """
    rows, labels, places, starts, ends = [], [], [], [], []
    for begin in range(0, len(examples), CHUNK):
        part = examples[begin : begin + CHUNK]
        questions = tokenizer(as_strings(example.question for example in part))
        contexts, *offsets = tokenizer.tokenize_with_offsets(
            as_strings(example.context for example in part)
        )
        windows = make_windows(tokenizer, questions, contexts, max_length, stride)
        labels.append(answer_positions(windows, *offsets, [_first_answer(e) for e in part]))
        columns = np.stack([getattr(windows, name).numpy() for name in PLACES], axis=1)
        columns[:, 0] += begin
        places.append(columns)
        tokens, segments = windows.tokens.numpy(), windows.segments.numpy()
        lengths = (tokens != tokenizer.pad).sum(axis=1)
        rows += [
            (row[:length], length - second)
            for row, length, second in zip(tokens, lengths, segments.sum(axis=1), strict=True)
        ]
        starts += _split(offsets[0])
        ends += _split(offsets[1])
    packed = PackedRows(
        Sentences.of(row for row, _ in rows), np.array([start for _, start in rows], np.int32)
    )
    more = {
        "windows": np.concatenate(places),
        "starts": Sentences.of(starts),
        "ends": Sentences.of(ends),
    }
    return Features(packed, np.concatenate(labels), more=more)


def read_windows(features: Features) -> Windows:
    """The windows of features, without their rows, as `best_spans` wants them."""
    columns = (tf.constant(column) for column in features.more["windows"].T)
    nothing = tf.zeros([0, 0], tf.int32)
    return Windows(nothing, nothing, *columns)


def ragged(sentences: Sentences) -> tf.RaggedTensor:
    return tf.RaggedTensor.from_row_splits(
        sentences.tokens, sentences.ends.astype(np.int64), validate=False
    )


def _first_answer(example: QuestionExample) -> tuple[int, int] | None:
    """Where the first answer begins and ends, in characters."""
    if not example.answers:
        return None
    text, start = example.answers[0]
    return start, start + len(text)


def _split(values: tf.RaggedTensor) -> list[np.ndarray]:
    return np.split(values.values.numpy(), values.row_splits.numpy()[1:-1])

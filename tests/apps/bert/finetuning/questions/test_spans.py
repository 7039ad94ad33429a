"""Windows cover contexts, answers are found where they are, and the best span is the best."""

import numpy as np
import pytest
import tensorflow as tf

from apps.bert.finetuning.questions.spans import (
    MAX_QUESTION,
    answer_positions,
    best_spans,
    make_windows,
    span_offsets,
)
from apps.bert.tasks.squad import read_squad
from shared.text.text_between import text_between
from shared.text.wordpiece_tokenizer import SPECIAL_TOKENS, WordPieceTokenizer
from shared.text.wordpiece_training import learn_wordpiece

LETTERS = [chr(97 + number) for number in range(26)]


@pytest.fixture(scope="module")
def tokenizer():
    return WordPieceTokenizer([*SPECIAL_TOKENS, *LETTERS, *("##" + c for c in LETTERS)], True)


def random_ragged(generator, lengths):
    rows = [generator.integers(5, 31, length).tolist() for length in lengths]
    return tf.ragged.constant(rows, tf.int32, ragged_rank=1)


def windows_by_hand(tokenizer, question, context, max_length, stride):
    """The loop of the paper's code."""
    question = question[: min(MAX_QUESTION, (max_length - 3) // 2)]
    room = max_length - 3 - len(question)
    step, begin, rows = room - min(stride, room // 2), 0, []
    while True:
        part = context[begin : begin + room]
        row = [tokenizer.cls, *question, tokenizer.sep, *part, tokenizer.sep]
        rows.append((row, begin, len(part)))
        if begin + room >= len(context):
            return rows
        begin += step


@pytest.mark.parametrize("max_length, stride", [(16, 4), (16, 0), (12, 100), (9, 1), (40, 8)])
def test_windows(tokenizer, max_length, stride):
    generator = np.random.default_rng(max_length)
    questions = random_ragged(generator, [3, 0, 80, 1, 5, 2])
    contexts = random_ragged(generator, [30, 7, 50, 0, 100, 1])
    windows = make_windows(tokenizer, questions, contexts, max_length, stride)
    row = 0
    for number in range(6):
        expected = windows_by_hand(
            tokenizer, questions[number].numpy().tolist(), contexts[number].numpy().tolist(),
            max_length, stride,
        )  # fmt: skip
        covered = set()
        for tokens, first, length in expected:
            real = windows.token_ids[row].numpy()
            assert real[real != tokenizer.pad].tolist() == tokens
            assert len(tokens) <= max_length
            assert (windows.question[row], windows.first_token[row]) == (number, first)
            assert windows.num_tokens[row] == length
            start = int(windows.context_start[row])
            part = contexts[number].numpy()[first : first + length]
            np.testing.assert_array_equal(real[start : start + length], part)
            segments = np.zeros(len(real))
            segments[start : start + length + 1] = 1
            np.testing.assert_array_equal(windows.segment_ids[row], segments)
            covered |= set(range(first, first + length))
            row += 1
        assert covered == set(range(len(contexts[number])))
    assert row == len(windows.question)


def features(tokenizer, questions, contexts, max_length, stride):
    asked = tokenizer(tf.constant(questions))
    tokens, starts, ends = tokenizer.tokenize_with_offsets(tf.constant(contexts))
    return make_windows(tokenizer, asked, tokens, max_length, stride), starts, ends


def test_answers_are_where_the_text_is(tokenizer):
    contexts = ["zoë likes 🍕 pizza in rome, and pasta in paris " * 3, "none here"]
    spans = [(contexts[0].index("rome"), contexts[0].index("rome") + 4), None]
    windows, starts, ends = features(tokenizer, ["where?", "who?"], contexts, 24, 8)
    positions = answer_positions(windows, starts, ends, spans)
    seen = 0
    for row, (first, last) in enumerate(positions):
        inside = tokenizer.pieces(windows.token_ids[row].numpy()[first : last + 1])
        if (first, last) == (0, 0):
            assert inside == ["[CLS]"]
        else:
            assert inside == ["r", "##o", "##m", "##e"] and windows.question[row] == 0
            seen += 1
    assert seen >= 1 and not positions[np.asarray(windows.question) == 1].any()
    # A part of a token is the whole token, a span of two words both.
    two = answer_positions(windows, starts, ends, [(1, 7), None])[0]
    assert tokenizer.pieces(windows.token_ids[0].numpy()[two[0] : two[1] + 1])[:2] == ["##o", "##e"]


def brute_force(starts, ends, windows, longest):
    """The best span of each question by definition, (score, first, last) or None."""
    found = [[] for _ in range(int(windows.question[-1]) + 1)]
    for row in range(len(starts)):
        question, start, first, length = (int(windows[field][row]) for field in range(2, 6))
        for a in range(length):
            for b in range(a, min(length, a + longest)):
                score = starts[row, start + a] + ends[row, start + b]
                found[question].append((-score, row, b - a, first + a))
    best = [min(spans, default=None) for spans in found]
    return [s and (-s[0], s[3], s[3] + s[2]) for s in best]


@pytest.mark.parametrize("longest", [1, 4, 50])
def test_best_spans_equal_brute_force(tokenizer, longest):
    generator = np.random.default_rng(longest)
    questions = random_ragged(generator, [3, 2, 4, 1])
    contexts = random_ragged(generator, [40, 5, 0, 17])
    windows = make_windows(tokenizer, questions, contexts, 16, 5)
    starts, ends = generator.normal(size=(2, *windows.token_ids.shape)).astype(np.float32)
    expected = brute_force(starts, ends, windows, longest)
    function = tf.function(lambda s, e: best_spans(s, e, windows, longest))
    found = function(tf.constant(starts), tf.constant(ends))
    for number, best in enumerate(expected):
        best = best or (-np.inf, -1, -1)
        assert (found.first_token[number], found.last_token[number]) == best[1:]
        np.testing.assert_allclose(found.score[number], best[0], rtol=1e-6)
        mine = np.asarray(windows.question) == number
        np.testing.assert_allclose(found.null_score[number], (starts + ends)[mine, 0].min())


def test_of_equal_scores_the_first_window_the_shortest_then_the_first(tokenizer):
    generator = np.random.default_rng(0)
    windows = make_windows(
        tokenizer, random_ragged(generator, [2] * 30), random_ragged(generator, [20] * 30), 16, 4
    )
    logits = generator.integers(0, 3, (2, *windows.token_ids.shape)).astype(np.float32)
    found = best_spans(*map(tf.constant, logits), windows, 5)
    for number, best in enumerate(brute_force(*logits, windows, 5)):
        assert best == (found.score[number], found.first_token[number], found.last_token[number])


def test_memory_does_not_grow_with_the_length_of_answers(tokenizer):
    """Thousands of windows are judged at once; thirty tables of their size would be too many."""
    generator = np.random.default_rng(0)
    windows = make_windows(
        tokenizer, random_ragged(generator, [2] * 5), random_ragged(generator, [20] * 5), 16, 4
    )
    logits = tf.zeros(windows.token_ids.shape)
    function = tf.function(lambda s, e: best_spans(s, e, windows, 30)).get_concrete_function
    graph = function(logits, logits).graph
    assert max(output.shape.rank for op in graph.get_operations() for output in op.outputs) == 2


def test_no_questions(tokenizer):
    empty = tokenizer(tf.constant([], tf.string))
    windows = make_windows(tokenizer, empty, empty, 16, 4)
    found = best_spans(tf.zeros([0, 0]), tf.zeros([0, 0]), windows, 5)
    assert [len(part) for part in found] == [0, 0, 0, 0]
    assert [len(part) for part in span_offsets(found, empty, empty)] == [0, 0]


def test_answer_text(tokenizer):
    contexts = ["Zoë likes 🍕 pizza in Rome, and", "", b"\xff\xfe bad b\xc3ytes"]
    windows, starts, ends = features(tokenizer, ["where"] * 3, contexts, 30, 14)
    ends_of = ends.row_lengths().numpy()
    starts_logits = np.zeros(windows.token_ids.shape, np.float32)
    ends_logits = np.zeros(windows.token_ids.shape, np.float32)
    wanted = {0: (contexts[0].index("pizza"), contexts[0].index(",")), 2: (3, 6)}
    answers = [wanted.get(number) for number in range(3)]
    for row, (first, last) in enumerate(answer_positions(windows, starts, ends, answers)):
        if (first, last) != (0, 0):
            starts_logits[row, first] = ends_logits[row, last] = 9
    found = best_spans(tf.constant(starts_logits), tf.constant(ends_logits), windows, 13)
    begin, end = span_offsets(found, starts, ends)
    texts = text_between(tf.constant(contexts), begin, end)
    assert [text.decode() for text in texts.numpy()] == ["pizza in Rome", "", "bad"]
    assert ends_of[1] == 0 and (begin[1], end[1]) == (0, 0)


def test_real_answers_come_back(real_data):
    """Perfect logits give the right answers, but for words that are cut inside."""
    questions = read_squad(real_data / "squad" / "dev-v1.1.json").examples[:400]
    contexts = [question.context for question in questions]
    vocabulary = learn_wordpiece(dict.fromkeys(contexts), 4000, lowercase=True)
    tokenizer = WordPieceTokenizer(vocabulary, True)
    asked = [question.question for question in questions]
    windows, starts, ends = features(tokenizer, asked, contexts, 128, 48)
    answers = [(start, start + len(text)) for text, start in (q.answers[0] for q in questions)]
    positions = answer_positions(windows, starts, ends, answers)
    rows = np.arange(len(positions))
    logits = np.zeros((2, *windows.token_ids.shape), np.float32)
    for end in (0, 1):
        logits[end, rows, positions[:, end]] = 9
    found = best_spans(*map(tf.constant, logits), windows, 40)
    texts = text_between(tf.constant(contexts), *span_offsets(found, starts, ends)).numpy()
    same = 0
    for text, question, (begin, end) in zip(texts, questions, answers, strict=True):
        around = question.context[max(0, begin - 1) : begin], question.context[end : end + 1]
        cut = any(part.isalnum() or part in "½." for part in around if part)
        right = question.answers[0][0]
        assert text.decode() == right or (cut and right in text.decode())
        same += text.decode() == right
    assert same > 0.95 * len(questions)

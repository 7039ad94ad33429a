"""Beam search against plain Python on the same scores."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from shared.decoding.beam_search import beam_search, gather_hypotheses
from tests.shared.decoding.table_model import END, SIZE, START, log_softmax, step_of, table


def penalty(length: int, alpha: float, rule: str = "wu") -> float:
    return (length if rule == "power" else (5 + length) / 6) ** alpha


def python_beam_search(logits, beam_size, limit, alpha, never=(), rule="wu"):
    """One sentence, lists of tokens; the definition that the graph must follow."""
    living, ended = [(0.0, [])], []
    for length in range(1, limit + 1):
        candidates = []
        for score, tokens in living:
            before, last = ([0, START] + tokens)[-2:]
            row = log_softmax(logits[before if tokens else 0, last])
            for token in range(SIZE) if length < limit else [END]:
                if token not in never:
                    candidates.append((score + row[token], [*tokens, token]))
        candidates = sorted(candidates, key=lambda item: -item[0])[: 2 * beam_size]
        for score, tokens in candidates[: beam_size if rule == "power" else None]:
            if tokens[-1] == END:
                ended.append((score / penalty(length, alpha, rule), tokens))
        ended = sorted(ended, key=lambda item: -item[0])[:beam_size]
        living = [item for item in candidates if item[1][-1] != END][:beam_size]
        if not living:
            break
        best_living = living[0][0] / penalty(length, alpha, rule)
        if len(ended) == beam_size and best_living <= ended[-1][0]:
            break
    return ended


def search(logits, beam_size, limits, alpha, **options):
    start = {"before": tf.zeros([len(logits), beam_size], tf.int32)}
    return beam_search(
        step_of(logits), start, gather_hypotheses, beam_size=beam_size, limits=tf.constant(limits),
        start=START, end=END, length_penalty=alpha, **options,
    )  # fmt: skip


@pytest.mark.parametrize("beam_size", [1, 2, 4])
@pytest.mark.parametrize(
    ("alpha", "rule"), [(0.0, "wu"), (0.6, "wu"), (1.0, "wu"), (0.0, "power"), (1.0, "power")]
)
def test_equals_a_python_beam_search(beam_size, alpha, rule):
    sentences = 20
    logits = table(beam_size, sentences)
    limits = [3 + number % 6 for number in range(sentences)]
    options = {"num_best": beam_size, "never": (0,), "length_rule": rule}
    found = search(logits, beam_size, limits, alpha, **options)
    for b in range(sentences):
        expected = python_beam_search(logits[b], beam_size, limits[b], alpha, (0,), rule)
        for k, (score, tokens) in enumerate(expected):
            length = int(found.lengths[b, k])
            assert found.tokens[b, k, :length].numpy().tolist() == tokens
            assert float(found.scores[b, k]) == pytest.approx(score, abs=1e-4)


def test_a_wide_beam_finds_the_best_of_all_sequences():
    logits, limit = table(7, 1), 3
    scores = {}
    for length in range(1, limit + 1):
        for tokens in itertools.product(range(SIZE), repeat=length):
            if tokens[-1] != END or tokens.count(END) > 1:
                continue
            before, last, total = 0, START, 0.0
            for token in tokens:
                total += log_softmax(logits[0, before, last])[token]
                before, last = last, token
            scores[tokens] = total
    best = max(scores, key=scores.get)
    found = search(logits, SIZE**3, [limit], 0.0)
    assert tuple(found.tokens[0, 0].numpy()[: len(best)]) == best
    assert float(found.scores[0, 0]) == pytest.approx(scores[best], abs=1e-4)


def test_no_sentence_depends_on_the_others():
    logits = table(3, 6)
    limits = [4, 9, 5, 12, 3, 7]
    together = search(logits, 3, limits, 0.6)
    for b in range(6):
        alone = search(logits[b : b + 1], 3, limits[b : b + 1], 0.6)
        length = int(alone.lengths[0, 0])
        np.testing.assert_array_equal(together.tokens[b, 0, :length], alone.tokens[0, 0, :length])
        assert int(together.lengths[b, 0]) == length
        assert float(together.scores[b, 0]) == pytest.approx(float(alone.scores[0, 0]), abs=1e-5)


def test_text_may_stop_anywhere():
    """The best of all sequences that end, or are as long as the limit."""
    logits, limit = table(8, 1), 3
    scores = {}
    for length in range(1, limit + 1):
        for tokens in itertools.product(range(SIZE), repeat=length):
            if END in tokens[:-1] or (length < limit and tokens[-1] != END):
                continue
            before, last, total = 0, START, 0.0
            for token in tokens:
                total += log_softmax(logits[0, before, last])[token]
                before, last = last, token
            scores[tokens] = total
    expected = sorted(scores, key=scores.get, reverse=True)[:3]
    found = search(logits, SIZE**3, [limit], 0.0, num_best=3, must_end=False)
    for tokens, sequence, score in zip(found.tokens[0], expected, found.scores[0], strict=True):
        assert tuple(tokens.numpy()[: len(sequence)]) == sequence
        assert float(score) == pytest.approx(scores[sequence], abs=1e-4)


def test_sentences_may_begin_with_other_tokens():
    logits, starts = table(4, 2), [3, 5]
    zeros = {"before": tf.zeros([2, 2], tf.int32)}
    options = {"beam_size": 2, "end": END, "length_penalty": 0.6}
    together = beam_search(
        step_of(logits), zeros, gather_hypotheses, limits=tf.constant([4, 4]),
        start=tf.constant(starts), **options,
    )  # fmt: skip
    for row, start in enumerate(starts):
        alone = beam_search(
            step_of(logits[row : row + 1]), {"before": zeros["before"][:1]}, gather_hypotheses,
            limits=tf.constant([4]), start=start, **options,
        )  # fmt: skip
        np.testing.assert_array_equal(together.tokens[row], alone.tokens[0])


def test_beam_size_may_be_a_tensor_and_xla_compiles():
    logits = table(5, 4)
    limits = [6] * 4
    expected = search(logits, 3, limits, 0.6)

    @tf.function(jit_compile=True)
    def compiled():
        return search(logits, 3, limits, 0.6)

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32)])
    def of_tensor(beam_size):
        start = {"before": tf.zeros([4, beam_size], tf.int32)}
        return beam_search(
            step_of(logits), start, gather_hypotheses, beam_size=beam_size,
            limits=tf.constant(limits), start=START, end=END, length_penalty=0.6,
        )  # fmt: skip

    np.testing.assert_array_equal(compiled().tokens, expected.tokens)
    np.testing.assert_array_equal(of_tensor(tf.constant(3)).tokens, expected.tokens)

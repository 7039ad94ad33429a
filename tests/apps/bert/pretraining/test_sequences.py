"""Sequences of a corpus: complete, in order, no longer than allowed."""

import numpy as np
import pytest

from apps.bert.pretraining.examples import PretrainingExamples
from apps.bert.pretraining.masking import Masker
from apps.bert.pretraining.sequences import (
    EncodedText,
    encode_text,
    full_sequences,
    paired_sequences,
)
from shared.text.wordpiece_tokenizer import WordPieceTokenizer

NAMES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c", "d"]


@pytest.fixture(scope="module")
def tokenizer():
    return WordPieceTokenizer(NAMES, lowercase=True)


def text_of(lengths, documents):
    ends = np.cumsum([0, *lengths])
    return EncodedText(np.arange(5, 5 + ends[-1], dtype=np.int32), ends, np.array(documents))


def test_empty_lines_end_documents(tokenizer):
    text = encode_text(["a b", "c", "", "", "d", " ", "a"], tokenizer)
    assert text.documents.tolist() == [0, 0, 2, 3]
    assert text.token_ids.tolist() == [5, 6, 7, 8, 5]
    assert text.line_ends.tolist() == [0, 2, 3, 4, 5]


def test_full_sequences_hold_every_token_once():
    text = text_of([3, 4, 12, 2, 2, 2], [0, 0, 1, 1, 1, 2])
    found = full_sequences(text, 5)
    # Greedy by hand: lines of 3 and 4 do not share 5 positions; that of 12 is cut.
    assert found.tolist() == [[0, 3], [3, 7], [7, 12], [12, 17], [17, 21], [21, 25]]


def test_pairs_are_neighbours_of_one_document():
    text = text_of([2, 2, 2, 2, 3], [0, 0, 0, 0, 1])
    assert paired_sequences(text, 8).tolist() == [[0, 4, 8]]
    assert paired_sequences(text_of([3], [0]), 8).tolist() == []
    # A short document is parted between its lines, and so is the rest of a long one.
    assert paired_sequences(text_of([1, 2], [0, 0]), 8).tolist() == [[0, 1, 3]]
    rest = text_of([4, 4, 1, 1, 2], [0] * 5)
    assert paired_sequences(rest, 8).tolist() == [[0, 4, 8], [8, 10, 12]]


@pytest.mark.parametrize("pairs", ["next", "order", "none"])
def test_examples_are_what_the_corpus_says(tokenizer, pairs):
    text = encode_text(["a b", "c d", "", "b b", "d d", "", "a a", "c c"] * 20, tokenizer)
    stretches = full_sequences(text, 4) if pairs == "none" else paired_sequences(text, 4)
    masker = Masker(tokenizer, 0.15, False, 2)
    examples = PretrainingExamples(text, stretches, pairs, tokenizer, masker, 9, 3, False)
    numbers = np.arange(len(examples))
    x, y = examples.batch(numbers)
    whole = x["token_ids"].copy()
    positions, labels = x["masked_positions"], y["masked"]
    for row in range(len(whole)):
        for position, label in zip(positions[row], labels[row], strict=True):
            if label >= 0:
                whole[row, position] = label
    for row, index in enumerate(numbers):
        begin, end = stretches[index][0], stretches[index][-1]
        inner = [token for token in whole[row].tolist() if token > 4]
        original = text.token_ids[begin:end].tolist()
        if pairs == "none":
            assert inner == original and not x["segment_ids"][row].any()
            continue
        second = whole[row][x["segment_ids"][row] == 1].tolist()
        assert second[-1] == tokenizer.sep and whole[row, 0] == tokenizer.cls
        if y["next"][row]:
            assert inner == original
        elif pairs == "order":
            assert inner == original[2:] + original[:2]
        else:
            assert inner[:2] == original[:2]
    if pairs != "none":
        assert 0.3 < y["next"].mean() < 0.7
    again, _ = examples.batch(numbers)
    np.testing.assert_array_equal(again["token_ids"], x["token_ids"])
    later, _ = examples.batch(numbers, numbers + 1000)
    assert (later["token_ids"] != x["token_ids"]).any()

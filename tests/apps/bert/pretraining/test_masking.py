"""Masked places: how many, what stands there, whole words."""

import numpy as np
import pytest

from apps.bert.finetuning.heads import IGNORED
from apps.bert.pretraining.masking import Masker
from shared.text.wordpiece_tokenizer import WordPieceTokenizer

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
NAMES = WORDS + [f"w{n}" for n in range(40)] + [f"##s{n}" for n in range(15)]


@pytest.fixture(scope="module")
def tokenizer():
    return WordPieceTokenizer(NAMES, lowercase=True)


def rows(tokenizer, count=400, length=60, padding=10):
    generator = np.random.default_rng(0)
    tokens = generator.integers(5, len(NAMES), (count, length)).astype(np.int32)
    tokens[:, 0], tokens[:, -padding - 1], tokens[:, length - padding :] = (
        tokenizer.cls, tokenizer.sep, tokenizer.pad,
    )  # fmt: skip
    tokens[:, 1] = 5
    return tokens


def test_share_and_what_stands_in_place(tokenizer):
    tokens = rows(tokenizer)
    masker = Masker(tokenizer, 0.15, False, 10)
    masked, places, labels = masker(tokens, np.random.default_rng(1))
    real = labels != IGNORED
    # 48 ordinary pieces a row, 15 % of which are 7.2.
    assert (real.sum(axis=1) == 7).all()
    originals = np.take_along_axis(tokens, places, axis=1)
    np.testing.assert_array_equal(labels[real], originals[real])
    assert (originals[real] >= 5).all()
    now = np.take_along_axis(masked, places, axis=1)[real]
    assert (now == tokenizer.mask).mean() == pytest.approx(0.8, abs=0.03)
    kept = now == labels[real]
    # A replacement may be the piece itself, one time in fifty-five.
    assert kept.mean() == pytest.approx(0.1 + 0.1 / 55, abs=0.03)
    untouched = np.ones_like(tokens, bool)
    np.put_along_axis(untouched, places, False, axis=1)
    untouched[:, 0] = True
    np.testing.assert_array_equal(masked[untouched], tokens[untouched])


def test_whole_words_have_all_their_pieces_masked(tokenizer):
    tokens = rows(tokenizer)
    masker = Masker(tokenizer, 0.15, True, 10)
    _, places, labels = masker(tokens, np.random.default_rng(1))
    suffix = tokenizer.is_suffix
    words = np.cumsum(~suffix[tokens], axis=1)
    for row in range(len(tokens)):
        chosen = set(places[row][labels[row] != IGNORED].tolist())
        assert 1 <= len(chosen) <= 7
        for word in {words[row, place] for place in chosen}:
            assert set(np.flatnonzero(words[row] == word)) <= chosen


def test_the_same_generator_gives_the_same(tokenizer):
    tokens = rows(tokenizer, count=3)
    masker = Masker(tokenizer, 0.15, False, 10)
    one, two = (masker(tokens, np.random.default_rng((1, 2)))[0] for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_a_row_of_one_word_is_masked(tokenizer):
    tokens = np.array([[tokenizer.cls, 7, tokenizer.sep, 0]], np.int32)
    _, places, labels = Masker(tokenizer, 0.15, True, 2)(tokens, np.random.default_rng(0))
    assert places.tolist() == [[1, 0]] and labels.tolist() == [[7, IGNORED]]

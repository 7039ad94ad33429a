"""Masked positions: their number, replacements and whole words."""

import numpy as np
import pytest

from apps.bert.encoder import IGNORED
from apps.bert.pretraining.masking import Masker
from shared.text.wordpiece_tokenizer import WordPieceTokenizer

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
NAMES = WORDS + [f"w{n}" for n in range(40)] + [f"##s{n}" for n in range(15)]


@pytest.fixture(scope="module")
def tokenizer():
    return WordPieceTokenizer(NAMES, lowercase=True)


def rows(tokenizer, count=400, length=60, padding=10):
    generator = np.random.default_rng(0)
    token_ids = generator.integers(5, len(NAMES), (count, length)).astype(np.int32)
    token_ids[:, 0], token_ids[:, -padding - 1], token_ids[:, length - padding :] = (
        tokenizer.cls, tokenizer.sep, tokenizer.pad,
    )  # fmt: skip
    token_ids[:, 1] = 5
    return token_ids


def test_share_and_what_stands_in_place(tokenizer):
    token_ids = rows(tokenizer)
    masker = Masker(tokenizer, 0.15, False, 10)
    masked, positions, labels = masker(token_ids, np.random.default_rng(1))
    real = labels != IGNORED
    # 48 ordinary pieces a row, 15 % of which are 7.2.
    assert (real.sum(axis=1) == 7).all()
    originals = np.take_along_axis(token_ids, positions, axis=1)
    np.testing.assert_array_equal(labels[real], originals[real])
    assert (originals[real] >= 5).all()
    now = np.take_along_axis(masked, positions, axis=1)[real]
    assert (now == tokenizer.mask).mean() == pytest.approx(0.8, abs=0.03)
    kept = now == labels[real]
    # A replacement may be the piece itself, one time in fifty-five.
    assert kept.mean() == pytest.approx(0.1 + 0.1 / 55, abs=0.03)
    untouched = np.ones_like(token_ids, bool)
    np.put_along_axis(untouched, positions, False, axis=1)
    untouched[:, 0] = True
    np.testing.assert_array_equal(masked[untouched], token_ids[untouched])


def test_whole_words_have_all_their_pieces_masked(tokenizer):
    token_ids = rows(tokenizer)
    masker = Masker(tokenizer, 0.15, True, 10)
    _, positions, labels = masker(token_ids, np.random.default_rng(1))
    suffix = tokenizer.is_suffix
    words = np.cumsum(~suffix[token_ids], axis=1)
    for row in range(len(token_ids)):
        chosen = set(positions[row][labels[row] != IGNORED].tolist())
        assert 1 <= len(chosen) <= 7
        for word in {words[row, position] for position in chosen}:
            assert set(np.flatnonzero(words[row] == word)) <= chosen


def test_the_same_generator_gives_the_same(tokenizer):
    token_ids = rows(tokenizer, count=3)
    masker = Masker(tokenizer, 0.15, False, 10)
    one, two = (masker(token_ids, np.random.default_rng((1, 2)))[0] for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_a_row_of_one_word_is_masked(tokenizer):
    token_ids = np.array([[tokenizer.cls, 7, tokenizer.sep, 0]], np.int32)
    _, positions, labels = Masker(tokenizer, 0.15, True, 2)(token_ids, np.random.default_rng(0))
    assert positions.tolist() == [[1, 0]] and labels.tolist() == [[7, IGNORED]]

"""Long lines: cut into pieces that hold everything, put together again."""

import itertools
import time

import numpy as np
import pytest

from apps.translation.config import MAX_TOKENS
from apps.translation.languages import separator
from apps.translation.prediction.long_lines import (
    MAX_BYTES,
    MAX_CHARACTERS,
    batches,
    count_bytes,
    count_words,
    cut_line,
    join_best,
)
from shared.text.subword_tokenizer import KINDS, SubwordTokenizer, train_tokenizer


def without_spaces(text):
    return "".join(text.split())


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("  \t ", 0),
        ("Zwei Männer.", 2),
        ("我爱你。", 4),
        ("我 love 你", 3),
        ("ภาษาไทย", 7),
        ("x" * 33, 3),
    ],
)
def test_count_words(text, count):
    assert count_words(text) == count


@pytest.mark.parametrize(
    ("limit", "text", "pieces"),
    [
        (3, "", []),
        (3, "   ", []),
        (3, " one two three ", ["one two three"]),
        (3, "One. Two three four.", ["One.", "Two three four."]),
        (3, 'He said "Stop!" Then 3.5 km.', ['He said "Stop!"', "Then 3.5 km."]),
        (3, "a b c d e f g", ["a b c", "d e", "f g"]),
        (4, "是的。不！真的吗？好", ["是的。", "不！", "真的吗？", "好"]),
        (3, "一二三四五六七", ["一二三", "四五", "六七"]),
        (2, "Wait... what? No", ["Wait...", "what?", "No"]),
    ],
)
def test_cut_line(limit, text, pieces):
    assert cut_line(text, limit) == pieces


def test_pieces_hold_everything_and_are_short_enough():
    generator = np.random.default_rng(0)
    parts = ["word", "Ende.", "x" * 40, "你好", "世界。", " ", ". ", "...", "!\u201d ", "ü"]
    for _ in range(200):
        text = " ".join(generator.choice(parts, generator.integers(1, 60)))
        for limit in (1, 3, 10):
            pieces = cut_line(text, limit)
            assert without_spaces("".join(pieces)) == without_spaces(text)
            assert all(0 < count_words(piece) <= limit for piece in pieces)


def test_no_piece_has_too_many_characters():
    for text in (
        "abcdefghij " * 95,
        "Satz, der nicht endet " * 200,
        "x" * 3000,
        "a" + " " * 999 + "b",
    ):
        pieces = cut_line(text)
        assert without_spaces("".join(pieces)) == without_spaces(text)
        assert len(pieces) > 1 and all(len(piece) <= MAX_CHARACTERS for piece in pieces)


STRANGE = {
    "emoji": "🎉" * 440,
    "Russian": "Все счастливые семьи похожи друг на друга. " * 10,
    "decomposed by NFC": "\U0001d160क़ " * 50,
    "Chinese": "𠮷野家的牛肉饭很好吃" * 10,
}


@pytest.mark.parametrize("text", STRANGE.values(), ids=STRANGE)
def test_no_piece_has_too_many_bytes(text):
    assert len(text.encode()) > MAX_BYTES or "𠮷" in text
    pieces = cut_line(text, max_bytes=MAX_BYTES)
    assert without_spaces("".join(pieces)) == without_spaces(text)
    assert all(count_bytes(piece) <= MAX_BYTES for piece in pieces)
    # A hundred Chinese characters fit.
    assert (len(pieces) == 1) == ("𠮷" in text)


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_bound_the_tokens_of_every_vocabulary(kind):
    tokenizer = SubwordTokenizer(train_tokenizer(["the cat sat", "a dog", "cats"] * 4, kind, 290))
    for text in (*STRANGE.values(), "a cat and a zebra " * 20, "x y z " * 60):
        for piece in [text, *cut_line(text, max_bytes=MAX_BYTES)]:
            tokens = len(tokenizer([piece]).to_list()[0])
            assert tokens <= count_bytes(piece)
            assert piece == text or tokens < MAX_TOKENS


@pytest.mark.parametrize(
    "text", [". " * 50000, "." * 200000, "w " * 50000, "。" * 50000, "x" * 10**6]
)
def test_no_text_takes_long(text):
    began = time.perf_counter()
    cut_line(text, 100)
    assert time.perf_counter() - began < 2


def test_best_lines_equal_trying_everything():
    generator = np.random.default_rng(0)
    for pieces, n in itertools.product((1, 2, 4), (1, 3, 5)):
        lists = [
            [(f"{piece}{rank}", -float(score)) for rank, score in enumerate(np.sort(row))]
            for piece, row in enumerate(generator.random((pieces, 3)))
        ]
        every = [
            (" ".join(text for text, _ in choice), sum(score for _, score in choice))
            for choice in itertools.product(*lists)
        ]
        expected = sorted(every, key=lambda pair: -pair[1])[:n]
        found = join_best(lists, n, " ")
        assert [text for text, _ in found] == [text for text, _ in expected]
        np.testing.assert_allclose([s for _, s in found], [s for _, s in expected])


def test_a_line_is_listed_once():
    found = join_best([[("a", -1.0), ("a b", -1.5)], [("b c", -1.0), ("c", -1.25)]], 4, " ")
    assert found == [("a b c", -2.0), ("a c", -2.25), ("a b b c", -2.5)]


def test_nothing_and_empty_pieces():
    assert join_best([], 3, " ") == [("", 0.0)]
    assert join_best([[("a", -1.0)], [("", -1.0)], [("b", -1.0)]], 1, " ") == [("a b", -3.0)]
    assert join_best([[("我", -1.0)], [("你", -1.0)]], 1, separator("zh-CN")) == [("我你", -2.0)]


def test_batches_cover_everything_and_keep_the_limits():
    lengths = list(np.random.default_rng(0).integers(0, 50, 200)) + [500]
    found = list(batches(lengths, size=16, room=300))
    assert sorted(sum(found, [])) == list(range(201))
    assert all(len(b) <= 16 and (len(b) == 1 or len(b) * lengths[b[-1]] <= 300) for b in found)
    assert [lengths[i] for i in sum(found, [])] == sorted(lengths)
    assert list(batches([], 4, 4)) == []

"""Learnt WordPiece vocabularies: what is in them, and that they cut text into few pieces."""

from collections import Counter

import pytest
import tensorflow as tf

from shared.common.errors import KerasuiteError
from shared.text.wordpiece_tokenizer import SPECIAL_TOKENS, WordPieceTokenizer
from shared.text.wordpiece_training import count_words, learn_wordpiece

SENTENCES = [
    "Low lower lowest, newer newest wider; the lowest of the newest.",
    "我们试试看！你在干什么？",
    "Café, caf\u00e9! 3.14",
] * 3


def test_characters_then_joined_pieces():
    vocabulary = learn_wordpiece(SENTENCES, 90, lowercase=True)
    assert vocabulary[:5] == list(SPECIAL_TOKENS) and len(vocabulary) == 90
    assert len(set(vocabulary)) == 90
    words = count_words(SENTENCES, lowercase=True)
    for word in words:
        assert word[0] in vocabulary
        assert all("##" + character in vocabulary for character in word[1:])
    single = [token for token in vocabulary[5:] if len(token.removeprefix("##")) == 1]
    assert vocabulary[5 : 5 + len(single)] == single
    assert {"lowest", "newest"} <= set(vocabulary)


def test_every_text_of_known_characters_has_pieces():
    vocabulary = learn_wordpiece(SENTENCES, 90, lowercase=True)
    tokenizer = WordPieceTokenizer(vocabulary, True)
    ids = tokenizer(tf.constant(SENTENCES)).values.numpy()
    assert tokenizer.unk not in ids
    assert len(ids) < sum(len(word) for word in count_words(SENTENCES, True).elements())


def test_the_first_pair_is_the_most_frequent():
    """One join beside the characters: the pair of characters that occurs most often."""
    texts = ["xab yab zab", "cab", "xcd"]
    first = {"x", "y", "z", "c"}
    inside = {"##a", "##b", "##c", "##d"}
    vocabulary = learn_wordpiece(texts, 5 + len(first) + len(inside) + 1, lowercase=True)
    pairs = Counter(
        "##" + word[index : index + 2]
        for text in texts
        for word in text.split()
        for index in range(1, len(word) - 1)
    )
    assert set(vocabulary[5:13]) == first | inside
    assert vocabulary[13:] == [pairs.most_common(1)[0][0]] == ["##ab"]


def test_words_are_those_of_the_tokenizer():
    assert count_words(["Don't, CAFÉ 我们 a\u200bb", "don"], True) == {
        "don": 2, "'": 1, "t": 1, ",": 1, "cafe": 1, "我": 1, "们": 1, "ab": 1,
    }  # fmt: skip
    assert count_words(["CAFÉ"], False) == {"CAFÉ": 1}


def test_deterministic_and_quiet(capfd):
    first = learn_wordpiece(SENTENCES, 80)
    assert learn_wordpiece(iter(SENTENCES), 80) == first
    assert capfd.readouterr() == ("", "")


def test_the_alphabet_is_limited():
    vocabulary = learn_wordpiece(["aa ab ac"] * 5 + ["ad 猫", "\u2581a"], 12, limit_alphabet=3)
    assert set(vocabulary[5:]) >= {"a", "##a", "##b", "##c"}
    assert not {"##d", "猫", "\u2581"} & set(vocabulary)


def test_what_is_not_possible_is_said(capfd):
    with pytest.raises(KerasuiteError, match="no text to learn a vocabulary from"):
        learn_wordpiece(["", " \u200b"], 100)
    with pytest.raises(KerasuiteError, match="--vocabulary-size 7: too small; .* take 8, so give"):
        learn_wordpiece(["abc"], 7)
    assert len(learn_wordpiece(["abc abc"], 1000)) < 15
    assert "the training text supports" in capfd.readouterr().err

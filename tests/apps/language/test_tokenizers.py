"""Tokenizers: what a text becomes, and that it comes back."""

import json
import re

import numpy as np
import pytest
import tensorflow as tf

from apps.language.tokenizers.kinds import VOCABULARY, learn_tokenizer
from apps.language.tokenizers.word_tokenizer import NEWLINE
from shared.common.errors import KerasuiteError
from shared.text.special_tokens import END, PAD, START, UNK

TEXT = "The cat sat on the mat .\nThe dog <unk> it .\n\n  Über 猫 und Käse .\n"
KINDS = ("char", "word", "unigram")


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory):
    made = {}
    for kind in KINDS:
        pieces = iter([TEXT[:25], TEXT[25:] * 8])
        made[kind] = learn_tokenizer(kind, pieces, 300, tmp_path_factory.mktemp(kind))
    return made


def ids(tokenizer, text):
    return tokenizer(tf.constant([text])).to_list()[0]


def text_of(tokenizer, tokens):
    return tokenizer.detokenize(tf.constant([tokens], tf.int32))[0].numpy().decode()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("char", TEXT),
        ("word", TEXT.replace("\n\n  ", "\n\n").replace("<unk> ", "")),
        ("unigram", TEXT.replace("\n\n  ", "\n\n")),
    ],
)
def test_a_text_comes_back(tokenizers, kind, expected):
    tokenizer = tokenizers[kind]
    tokens = ids(tokenizer, TEXT)
    assert text_of(tokenizer, tokens) == expected
    # Behind the end of a document nothing is read, and special tokens are no text.
    assert text_of(tokenizer, [START, *tokens, END, tokens[0], PAD]) == expected
    assert max(tokens) < tokenizer.vocabulary_size
    spelled = "".join(tokenizer.spellings(np.array(tokens)))
    if kind == "unigram":
        # Characters without a piece are shown by their bytes.
        spelled = re.sub(
            "(?:<0x..>)+",
            lambda part: bytes.fromhex(re.sub("<0x|>", "", part[0])).decode(),
            spelled,
        )
    assert "".join(spelled.split()) == "".join(TEXT.split())


@pytest.mark.parametrize("kind", KINDS)
def test_lines_may_be_tokenised_apart(tokenizers, kind):
    """As a text is read in pieces."""
    tokenizer, lines = tokenizers[kind], TEXT.splitlines(keepends=True)
    apart = tokenizer(tf.constant(lines)).to_list()
    assert [token for part in apart for token in part] == ids(tokenizer, TEXT)


@pytest.mark.parametrize("kind", KINDS)
def test_strange_texts(tokenizers, kind):
    tokenizer = tokenizers[kind]
    assert ids(tokenizer, "") == []
    assert ids(tokenizer, "The\r\ndog") == ids(tokenizer, "The\ndog")
    # Invalid UTF-8, zero bytes and characters that the text has not.
    for text in (b"\xff\xfe", b"The \0", "ζ".encode()):
        (tokens,) = tokenizer(tf.constant([text])).to_list()
        assert tokens and all(0 <= token < tokenizer.vocabulary_size for token in tokens)
    assert tokenizer(tf.constant([], tf.string)).nrows() == 0


def test_characters_are_code_points_in_order(tokenizers):
    characters = sorted(set(TEXT))
    expected = [END + 1 + characters.index(c) if c in characters else UNK for c in "The ζ猫\n"]
    assert ids(tokenizers["char"], "The ζ猫\n") == expected


def test_words_are_what_white_space_separates(tokenizers):
    tokenizer = tokenizers["word"]
    words = re.findall(r"\S+|\n", TEXT)
    found = ids(tokenizer, TEXT)
    assert [token == NEWLINE for token in found] == [word == "\n" for word in words]
    assert [token == UNK for token in found] == [word == "<unk>" for word in words]
    named = dict(zip(words, found, strict=True))
    assert len(set(named.values())) == len(named)
    assert ids(tokenizer, "cat fish \t dog") == [named["cat"], UNK, named["dog"]]


def test_the_most_frequent_are_kept(tmp_path):
    words = learn_tokenizer("word", iter(["b a c\n", "a c c c\n"]), 7, tmp_path)
    assert (tmp_path / VOCABULARY["word"]).read_text() == "c\na\n" and words.vocabulary_size == 7
    learn_tokenizer("char", iter(["bacacc"]), END + 3, tmp_path)
    assert json.loads((tmp_path / VOCABULARY["char"]).read_text()) == ["a", "c"]


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("char", "aaaa", "only 'a' stands in the training text"),
        ("char", "", "no character stands in"),
        ("word", " \n \n", "no word stands in"),
        ("bpe", "aaaa\n", "less than two different characters"),
        ("unigram", "", "less than two different characters"),
    ],
)
def test_a_vocabulary_of_one(kind, text, message, tmp_path):
    with pytest.raises(KerasuiteError, match=message):
        learn_tokenizer(kind, iter([text]), 400, tmp_path)

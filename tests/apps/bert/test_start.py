"""Vocabularies in folders: what the files say is done, and what is wrong with them is said."""

import json

import pytest
import tensorflow as tf

from apps.bert.start import load_tokenizer
from shared.engine.errors import KerasuiteError
from shared.text.wordpiece_tokenizer import SPECIAL_TOKENS

VOCABULARY = [*SPECIAL_TOKENS, "cafe", "café", "Cafe", "Café", "我", "们", "我们", "\u2028", "\x85"]


def write(folder, vocabulary=VOCABULARY, end="\n", **config):
    text = end.join(vocabulary) + end
    (folder / "vocab.txt").write_text(text, encoding="utf-8", newline="")
    if config:
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def pieces(tokenizer, text):
    return tokenizer.pieces(tokenizer(tf.constant([text]))[0].numpy())


@pytest.mark.parametrize(
    "config, expected",
    [
        ({"do_lower_case": True}, ["cafe", "我", "们"]),
        ({"do_lower_case": True, "strip_accents": False}, ["café", "我", "们"]),
        ({"do_lower_case": False}, ["Café", "我", "们"]),
        ({"do_lower_case": False, "strip_accents": True}, ["Cafe", "我", "们"]),
        ({"do_lower_case": False, "tokenize_chinese_chars": False}, ["Café", "我们"]),
        ({"do_lower_case": True, "strip_accents": None}, ["cafe", "我", "们"]),
        # The vocabulary has capitals.
        ({}, ["Café", "我", "们"]),
    ],
)
def test_the_config_decides(tmp_path, config, expected):
    assert pieces(load_tokenizer(write(tmp_path, **config)), "Café 我们") == expected


def test_without_capitals_it_is_an_uncased_one(tmp_path):
    small = [token for token in VOCABULARY if token not in ("Cafe", "Café")]
    assert load_tokenizer(write(tmp_path, small)).lowercase


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("vocab.txt", b"[PAD]\n[UNK]\n", r"vocab.txt: has no \[CLS\]"),
        ("vocab.txt", b"[PAD]\n\xff\n", "vocab.txt: is no UTF-8 text"),
        ("tokenizer_config.json", b'{"do_lower_case": "no"}', "do_lower_case is 'no'; it must be"),
    ],
)
def test_damaged_files(tmp_path, name, content, message):
    (write(tmp_path) / name).write_bytes(content)
    with pytest.raises(KerasuiteError, match=message):
        load_tokenizer(tmp_path)

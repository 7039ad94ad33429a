"""Vocabularies and tokenizer settings: every file that may hold them, and bad ones."""

import json

import pytest

from apps.bert.checkpoint.checkpoint import TokenizerSettings
from apps.bert.checkpoint.tokenizer_files import (
    SPECIAL,
    guess_lowercase,
    read_settings,
    read_vocabulary,
    settings_json,
    vocabulary_text,
)
from shared.common.errors import KerasuiteError


def write(folder, name, value):
    (folder / name).write_text(value if isinstance(value, str) else json.dumps(value), "utf-8")


def test_only_line_feeds_end_a_line(tmp_path):
    words = [*SPECIAL, "a", "\u0085", "\u2028", "##b", "中"]
    (tmp_path / "vocab.txt").write_bytes("\r\n".join(words).encode())
    assert read_vocabulary(tmp_path) == words
    (tmp_path / "vocab.txt").write_bytes(vocabulary_text(words).encode())
    assert read_vocabulary(tmp_path) == words


def test_rows_without_a_word_get_names(tmp_path):
    words = [*SPECIAL, "[unused7]", "a"]
    write(tmp_path, "vocab.txt", vocabulary_text(words))
    assert read_vocabulary(tmp_path, 9) == [*words, "[unused-row-7]", "[unused8]"]


def test_vocabulary_of_tokenizer_json(tmp_path):
    words = [*SPECIAL, "a", "b"]
    numbers = {word: number for number, word in enumerate(words)} | {"c": 9}
    write(tmp_path, "tokenizer.json", {"model": {"type": "WordPiece", "vocab": numbers}})
    assert read_vocabulary(tmp_path, 11) == [
        *words, "[unused7]", "[unused8]", "c", "[unused10]",
    ]  # fmt: skip
    write(tmp_path, "tokenizer.json", {"model": {"type": "BPE", "vocab": {}}})
    with pytest.raises(KerasuiteError, match="a tokenizer of type BPE, not WordPiece"):
        read_vocabulary(tmp_path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([*SPECIAL, "a", "a"], "vocab.txt: 'a' occurs 2 times"),
        ([*SPECIAL, "", "a"], "vocab.txt: '' occurs 1 times"),
        (["[PAD]", "[UNK]", "[CLS]", "a"], r"vocab.txt: has no \[SEP\], \[MASK\]"),
        (["a", *SPECIAL], r"\[PAD\] is number 1, but must be the first"),
    ],
)
def test_bad_vocabularies(tmp_path, words, message):
    write(tmp_path, "vocab.txt", vocabulary_text(words))
    with pytest.raises(KerasuiteError, match=message):
        read_vocabulary(tmp_path)


def test_no_vocabulary(tmp_path):
    with pytest.raises(KerasuiteError, match=r"has neither vocab.txt nor tokenizer.json"):
        read_vocabulary(tmp_path)
    (tmp_path / "vocab.txt").write_bytes(b"[PAD]\n\xff\n")
    with pytest.raises(KerasuiteError, match="vocab.txt: is no UTF-8 text"):
        read_vocabulary(tmp_path)


NORMALIZER = {
    "normalizer": {"lowercase": False, "strip_accents": True, "handle_chinese_chars": False}
}


@pytest.mark.parametrize(
    ("config", "tokenizer", "expected"),
    [
        ({"do_lower_case": False}, None, TokenizerSettings(False)),
        ({"do_lower_case": True, "strip_accents": False}, None, TokenizerSettings(True, False)),
        ({"tokenize_chinese_chars": False}, None, TokenizerSettings(False, None, False)),
        (None, NORMALIZER, TokenizerSettings(False, True, False)),
        # Where both speak, transformers believes tokenizer_config.json.
        ({"do_lower_case": True}, NORMALIZER, TokenizerSettings(True, True, False)),
        (None, {"normalizer": None}, TokenizerSettings(False)),
        (None, None, TokenizerSettings(False)),
    ],
)
def test_settings(tmp_path, config, tokenizer, expected):
    cased = [*SPECIAL, "Paris"]
    if config is not None:
        write(tmp_path, "tokenizer_config.json", config)
    if tokenizer is not None:
        write(tmp_path, "tokenizer.json", tokenizer)
    assert read_settings(tmp_path, cased) == expected


def test_settings_there_and_back(tmp_path):
    settings = TokenizerSettings(False, True, False)
    write(tmp_path, "tokenizer_config.json", settings_json(settings, 128))
    assert read_settings(tmp_path, list(SPECIAL)) == settings


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"tokenizer_class": "XLMRobertaTokenizer"}, "tokenizer_class 'XLMRobertaTokenizer'"),
        ({"do_basic_tokenize": False}, "do_basic_tokenize false is not supported"),
    ],
)
def test_other_tokenizers_are_refused(tmp_path, config, message):
    write(tmp_path, "tokenizer_config.json", config)
    with pytest.raises(KerasuiteError, match=message):
        read_settings(tmp_path, list(SPECIAL))


def test_case_is_guessed_from_the_vocabulary():
    assert guess_lowercase([*SPECIAL, "[unused1]", "paris", "##s", "中"])
    assert not guess_lowercase([*SPECIAL, "Paris"])
    assert not guess_lowercase([*SPECIAL, "Éric"])

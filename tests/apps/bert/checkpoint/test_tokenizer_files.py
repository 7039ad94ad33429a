"""Vocabularies and tokenizer settings: every file that may hold them, and bad ones."""

import json

import pytest

from apps.bert.checkpoint.checkpoint import TokenizerSettings
from apps.bert.checkpoint.tokenizer_files import guess_lowercase, read_settings, settings_json
from apps.bert.checkpoint.vocabulary_files import SPECIAL, read_vocabulary, vocabulary_text
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


@pytest.mark.parametrize(
    ("lines", "size", "expected", "said"),
    [
        ([*SPECIAL, "", "a"], 0, [*SPECIAL, "[unused5]", "a"], "line 6 (blank)"),
        # The last one counts, as in transformers.
        ([*SPECIAL, "a", "b", "a"], 0, [*SPECIAL, "[unused5]", "b", "a"], "line 6 ('a', which is"),
        ([*SPECIAL, "a", "", ""], 0, [*SPECIAL, "a"], ""),
        ([*SPECIAL, "a", ""], 6, [*SPECIAL, "a"], ""),
        ([*SPECIAL, "a", ""], 7, [*SPECIAL, "a", "[unused6]"], "line 7 (blank)"),
        (["\ufeff[PAD]", *SPECIAL[1:]], 5, [*SPECIAL], "a byte-order mark, which is left out"),
    ],
)
def test_lines_that_no_text_reaches(tmp_path, capsys, lines, size, expected, said):
    write(tmp_path, "vocab.txt", vocabulary_text(lines))
    assert read_vocabulary(tmp_path, size) == expected
    err = " ".join(capsys.readouterr().err.split())
    assert said in err if said else not err


ADDED = {
    "added_tokens.json": {"covid": 6, "<e1>": 7},
    "tokenizer.json": {"added_tokens": [{"id": 6, "content": "covid"}, {"id": 7, "content": "<e1>"},
                                        {"id": 0, "content": "[PAD]"}]},
    "tokenizer_config.json": {"added_tokens_decoder": {"6": {"content": "covid"},
                                                       "7": {"content": "<e1>"}}},
}  # fmt: skip


@pytest.mark.parametrize("name", ADDED)
def test_added_tokens(tmp_path, capsys, name):
    """They take the rows that they name; the words of the vocabulary keep theirs."""
    write(tmp_path, "vocab.txt", vocabulary_text([*SPECIAL, "a"]))
    write(tmp_path, name, ADDED[name])
    assert read_vocabulary(tmp_path, 9) == [*SPECIAL, "a", "covid", "<e1>", "[unused8]"]
    assert "1 added tokens, such as '<e1>', keep their rows" in capsys.readouterr().err
    with pytest.raises(KerasuiteError, match="has 8 word pieces, the model only 7"):
        read_vocabulary(tmp_path, 7)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("added_tokens.json", {"a": 10**12}),
        ("added_tokens.json", {"a": "6"}),
        ("added_tokens.json", {"a": -1}),
        ("tokenizer.json", {"added_tokens": [3]}),
        ("tokenizer.json", {"added_tokens": {"a": 3}}),
        ("tokenizer_config.json", {"added_tokens_decoder": {"x": {"content": "a"}}}),
        ("tokenizer_config.json", {"added_tokens_decoder": {"9" * 5000: {"content": "a"}}}),
        ("tokenizer_config.json", {"added_tokens_decoder": [1]}),
        ("tokenizer_config.json", {"added_tokens_decoder": {"6": {"content": None}}}),
    ],
)
def test_wrong_types_and_giant_numbers(tmp_path, name, value):
    write(tmp_path, "vocab.txt", vocabulary_text([*SPECIAL, "a"]))
    write(tmp_path, name, value)
    with pytest.raises(KerasuiteError, match=f"{name}: "):
        read_vocabulary(tmp_path, 9)


@pytest.mark.parametrize("vocab", [{"a": 10**12}, {"a": "0"}, {"a": None}, {"a": 0.5}, ["a"], "a"])
def test_wrong_types_of_word_pieces(tmp_path, vocab):
    vocab = vocab if not isinstance(vocab, dict) else vocab | {"[PAD]": 0}
    write(tmp_path, "tokenizer.json", {"model": {"type": "WordPiece", "vocab": vocab}})
    with pytest.raises(KerasuiteError, match="tokenizer.json: "):
        read_vocabulary(tmp_path)


def test_words_with_line_ends_shift_no_other(tmp_path):
    """vocab.txt, which a run keeps, has a word a line."""
    words = [*SPECIAL, "\n", "a", "\r", "b"]
    vocab = {word: number for number, word in enumerate(words)}
    write(tmp_path, "tokenizer.json", {"model": {"type": "WordPiece", "vocab": vocab}})
    assert read_vocabulary(tmp_path) == [*SPECIAL, "[unused5]", "a", "[unused7]", "b"]

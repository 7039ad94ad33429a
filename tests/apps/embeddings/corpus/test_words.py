"""Text to words."""

import pytest

from apps.embeddings.corpus.words import word_splitter
from shared.common.errors import KerasuiteError


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't 'quote' the 2nd!", ["don't", "quote", "the", "2nd"]),
        ("Don\u2019t snake_case", ["don't", "snake", "case"]),
        ("ＦＵＬＬ ﬁne CAFÉ cafe\u0301", ["full", "fine", "café", "café"]),
        ("co\u00adoperate", ["cooperate"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("Ёлка, straße", ["ёлка", "straße"]),
    ],
)
def test_words(text, words):
    assert word_splitter("en")(text) == words


def test_whitespace_keeps_tokens():
    split = word_splitter("ja", "whitespace")
    assert split("New_York <unk> , 東京 です") == ["new_york", "<unk>", ",", "東京", "です"]


@pytest.mark.parametrize("language", ["zh-CN", "zho_Hans", "cmn"])
def test_chinese(language):
    words = word_splitter(language)("我来到北京清华大学，GPU ２０２６！")
    assert words == ["我", "来到", "北京", "清华大学", "gpu", "2026"]


def test_what_cannot_be_split():
    for language in ("ja", "jpn_Jpan", "tha"):
        with pytest.raises(KerasuiteError, match="--pattern whitespace"):
            word_splitter(language)
    with pytest.raises(KerasuiteError, match="--pattern letters"):
        word_splitter("en", "letters")

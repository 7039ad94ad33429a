"""Splitting text into words, the same for training, prediction and search."""

import functools
import logging
import re
import unicodedata
from collections.abc import Callable
from types import ModuleType

from shared.common.errors import KerasuiteError
from shared.common.packages import require_package
from shared.text.language_codes import is_unspaced, main_language

PATTERNS = ("words", "whitespace")

ASCII_WORD = re.compile(r"[a-z0-9]+(?:'[a-z0-9]+)*")
# Both apostrophes are the same one in words, a soft hyphen is none, and `_` is \w but no letter.
EQUALS = str.maketrans({"\u2019": "'", "\uff07": "'", "\u00ad": None, "_": " "})

Splitter = Callable[[str], list[str]]


def word_splitter(language: str = "en", pattern: str = "words") -> Splitter:
    """Chooses the function that splits text into words.

    The text is brought into Unicode's form NFKC (full-width letters become plain ones) and
    lower-cased. Then a word is

    - with "whitespace": whatever is between white space, for text that is already split;
    - with "words": letters and digits of any script with their combining marks, and
      apostrophes between them (`don't`);
    - with "words" in Chinese: a word of jieba's that has a letter or digit in it.

    Args:
        language: str. ISO 639 code; Chinese is split by jieba.
        pattern: str. "words" or "whitespace".

    Returns:
        Function of a text to its words.

    Raises:
        KerasuiteError: for another language that is written without spaces, or without jieba.
    """
    if pattern not in PATTERNS:
        raise KerasuiteError(f"--pattern {pattern}: unknown; one of {', '.join(PATTERNS)}")
    if pattern == "whitespace":
        return _between_whitespace
    if main_language(language) == "zh":
        _require_jieba()
        return _chinese_words
    if is_unspaced(language):
        raise KerasuiteError(
            f"--language {language}: is written without spaces between words; split the text "
            f"into words first and give --pattern whitespace"
        )
    return _spaced_words


def normalize(text: str) -> str:
    """Converts to Unicode's form NFKC and to lower case."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).lower()


def _between_whitespace(text: str) -> list[str]:
    return normalize(text).split()


def _spaced_words(text: str) -> list[str]:
    text = normalize(text)
    if text.isascii():
        return ASCII_WORD.findall(text)
    return _unicode_word().findall(text.translate(EQUALS))


@functools.cache
def _unicode_word() -> re.Pattern:
    """Python's \\w has no combining marks, without which Indic and Arabic words fall apart."""
    marks = "".join(
        character
        for character in map(chr, range(0x300, 0x20000))
        if unicodedata.category(character).startswith("M")
    )
    joiners = "\u200c\u200d"
    return re.compile(rf"\w[\w{marks}{joiners}]*(?:'\w[\w{marks}{joiners}]*)*")


def _chinese_words(text: str) -> list[str]:
    cut = _jieba().lcut(normalize(text))
    return [word for word in cut if any(map(str.isalnum, word))]


@functools.cache
def _jieba():
    """jieba with its own dictionary; loading takes a second, once a process."""
    jieba = _require_jieba()
    jieba.setLogLevel(logging.WARNING)
    return jieba.Tokenizer()


def _require_jieba() -> ModuleType:
    return require_package(
        "jieba",
        "--language zh",
        "`pip install jieba`, or split the text into words first and give --pattern whitespace",
    )

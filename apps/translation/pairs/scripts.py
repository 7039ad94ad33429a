"""Scripts of texts, to notice sides and files that are swapped or mixed up."""

import functools
import itertools
import unicodedata
from collections import Counter
from collections.abc import Iterable

# Scripts by the first word of their characters' Unicode names.
_LANGUAGE_OF_SCRIPT = {"CJK": "zh", "HANGUL": "ko", "HIRAGANA": "ja", "KATAKANA": "ja"}
_JAPANESE = ("HIRAGANA", "KATAKANA")
# Shorter texts, such as a name, may well be in another script.
FOREIGN_LETTERS = 8
# More lines, and more of a line, tell nothing new.
LINES_READ, CHARACTERS_READ = 2000, 1000


@functools.lru_cache(maxsize=1 << 16)
def _script_of(character: str) -> str:
    return unicodedata.name(character, "").partition(" ")[0] if character.isalpha() else ""


def scripts(text: str) -> Counter[str]:
    """Number of letters of each script in a text: {"LATIN": 5, "CJK": 2}."""
    counts = Counter(map(_script_of, text))
    del counts[""]
    return counts


def main_script(texts: Iterable[str]) -> str:
    """The script that most of the first 2,000 texts are written in; "" if none has letters.

    Japanese mixes scripts; it counts as HIRAGANA where a tenth of its letters are kana.
    """
    lines: Counter[str] = Counter()
    letters: Counter[str] = Counter()
    for text, _ in zip(texts, range(LINES_READ), strict=False):
        found = scripts(text)
        letters.update(found)
        if found:
            lines[found.most_common(1)[0][0]] += 1
    if not lines:
        return ""
    first = lines.most_common(1)[0][0]
    kana = sum(letters[script] for script in _JAPANESE)
    if first in ("CJK", *_JAPANESE) and kana >= letters.total() / 10:
        return "HIRAGANA"
    return first


def allowed_scripts(expected: str) -> set[str]:
    """The scripts that a text of the script `expected` may have: Japanese mixes three."""
    return {*_JAPANESE, "CJK"} if expected in _JAPANESE else {expected}


def letters_of(texts: Iterable[str]) -> Counter[str]:
    """Number of letters of each script in the beginnings of the first 2,000 texts."""
    return sum(
        (scripts(text[:CHARACTERS_READ]) for text in itertools.islice(texts, LINES_READ)), Counter()
    )


def foreign_script(letters: Counter[str], expected: str) -> str:
    """The most frequent other script, if most letters are not of the one expected; "" otherwise.

    >>> foreign_script(Counter(LATIN=40, CYRILLIC=50), "LATIN")
    'CYRILLIC'
    >>> foreign_script(Counter(LATIN=50, CYRILLIC=40), "LATIN")
    ''
    """
    own = allowed_scripts(expected)
    other = Counter({script: count for script, count in letters.items() if script not in own})
    if not expected or letters.total() < FOREIGN_LETTERS or 2 * other.total() <= letters.total():
        return ""
    return other.most_common(1)[0][0]


def script_warning(where: str, side: str, letters: Counter[str], expected: str) -> str:
    """A warning about a file whose sentences of one side are in another script, or "".

    Args:
        where: the file, or a line of it.
        side: "source" or "target".
        letters: of the file, see `letters_of`.
        expected: script of the training text; "" if it is not known.
    """
    found = foreign_script(letters, expected)
    if not found:
        return ""
    return (
        f"{where}: the {side} sentences are {found} script, those that the model was trained on "
        f"{expected}; is it the right file?"
    )


def guess_language(texts: Iterable[str]) -> str:
    """Chinese, Japanese or Korean by their script: "zh", "ja", "ko"; "" for any other."""
    return _LANGUAGE_OF_SCRIPT.get(main_script(texts), "")

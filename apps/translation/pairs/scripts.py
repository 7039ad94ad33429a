"""Which script a text is written in, to notice sides that are swapped or mixed up."""

import functools
import unicodedata
from collections import Counter
from collections.abc import Iterable

# Scripts by the first word of their characters' Unicode names.
_LANGUAGE_OF_SCRIPT = {"CJK": "zh", "HANGUL": "ko", "HIRAGANA": "ja", "KATAKANA": "ja"}
_JAPANESE = ("HIRAGANA", "KATAKANA")
# More lines tell nothing new.
_LINES_READ = 2000


@functools.lru_cache(maxsize=1 << 16)
def _script_of(character: str) -> str:
    return unicodedata.name(character, "").partition(" ")[0] if character.isalpha() else ""


def scripts(text: str) -> Counter[str]:
    """How many letters of each script a text has: {"LATIN": 5, "CJK": 2}."""
    counts = Counter(map(_script_of, text))
    del counts[""]
    return counts


def main_script(texts: Iterable[str]) -> str:
    """The script that most of the first 2,000 texts are written in; "" if none has letters.

    Japanese mixes scripts; it counts as HIRAGANA where a tenth of its letters are kana.
    """
    lines: Counter[str] = Counter()
    letters: Counter[str] = Counter()
    for text, _ in zip(texts, range(_LINES_READ), strict=False):
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


def guess_language(texts: Iterable[str]) -> str:
    """Chinese, Japanese or Korean by their script: "zh", "ja", "ko"; "" for any other."""
    return _LANGUAGE_OF_SCRIPT.get(main_script(texts), "")

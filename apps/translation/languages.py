"""What is known of languages by their names, and which ones an exported model translates."""

import json
import re
from pathlib import Path

# A file beside the SavedModel's configuration.
LANGUAGES = "languages.json"
# Languages that put no space between words, nor between sentences.
_UNSPACED = ("zh", "cmn", "yue", "ja", "th", "lo", "my", "km", "bo")


def main_language(language: str) -> str:
    """A language without region and script.

    >>> main_language("zh-CN"), main_language("ZH_Hant"), main_language("de")
    ('zh', 'zh', 'de')
    """
    return re.split(r"[-_.]", language.lower())[0]


def separator(language: str) -> str:
    """What stands between two sentences of a language: a space, or nothing.

    >>> separator("zh_TW"), separator("de"), separator("")
    ('', ' ', ' ')
    """
    return "" if main_language(language) in _UNSPACED else " "


def languages_json(source: str, target: str) -> str:
    """The content of the file LANGUAGES."""
    return json.dumps({"source": source, "target": target}) + "\n"


def read_languages(extra: Path) -> tuple[str, str]:
    """Source and target language from the folder of a SavedModel's extra assets; "" if unknown."""
    file = extra / LANGUAGES
    if not file.is_file():
        return "", ""
    found = json.loads(file.read_text(encoding="utf-8"))
    return found["source"], found["target"]

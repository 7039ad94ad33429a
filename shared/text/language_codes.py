"""Language codes of two or three letters, with region or script: zh, zho_Hans, cmn, zh-CN."""

import langcodes

# Languages that put no space between words, nor between sentences.
_UNSPACED = ("zh", "yue", "wuu", "ja", "th", "lo", "my", "km", "bo")


def main_language(code: str) -> str:
    """The shortest code of a language, without region and script; "" for what is no code.

    Mandarin is Chinese, as only that is written.

    >>> [main_language(code) for code in ("zh-CN", "zho_Hans", "cmn", "chi", "ZH_Hant", "yue")]
    ['zh', 'zh', 'zh', 'zh', 'zh', 'yue']
    >>> [main_language(code) for code in ("de", "ger", "jpn_Jpan", "de.tok", "")]
    ['de', 'de', 'ja', 'de', '']
    """
    try:
        language = langcodes.Language.get(code.partition(".")[0]).language or ""
    except langcodes.LanguageTagError:
        return ""
    return "zh" if language == "cmn" else language


def is_language(code: str) -> bool:
    """Whether a text is a code of a known language.

    >>> [is_language(code) for code in ("en", "zho_Hans", "xx", "a dog", "")]
    [True, True, False, False, False]
    """
    return bool(code) and langcodes.tag_is_valid(code)


def is_unspaced(code: str) -> bool:
    """Whether a language has no spaces between words.

    >>> is_unspaced("zh_TW"), is_unspaced("tha_Thai"), is_unspaced("de"), is_unspaced("")
    (True, True, False, False)
    """
    return main_language(code) in _UNSPACED

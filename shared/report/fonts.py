"""Fonts for text on pictures: the installed ones that have its characters."""

from collections.abc import Iterable
from functools import cache

from matplotlib import font_manager

from shared.common.messages import warn

# Behind DejaVu, which knows Latin, Greek, Cyrillic and more: Chinese, Japanese and Korean.
FAMILIES = ("Noto Sans CJK", "Source Han Sans", "WenQuanYi", "PingFang", "Microsoft YaHei")
SHOWN_CHARACTERS = 20


@cache
def families() -> list[str]:
    """The installed families that text is drawn with, the first choice first."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return ["DejaVu Sans", *sorted(name for name in installed if name.startswith(FAMILIES))]


@cache
def font_file(text: str) -> str:
    """Path of the first font that has the most characters of a text, for Pillow."""
    # `max` keeps the first of equals.
    return max(map(_file, families()), key=lambda file: sum(ord(c) in _known(file) for c in text))


def missing_characters(texts: Iterable[str]) -> str:
    """The characters that no font of the pictures has; they are drawn as boxes."""
    known = _all_known()
    return "".join(
        dict.fromkeys(c for text in texts for c in text if ord(c) not in known and c.isprintable())
    )


def warn_of_missing_characters(texts: Iterable[str]) -> None:
    """Says in one line which characters are drawn as boxes; of the same ones only once."""
    if missing := missing_characters(texts):
        _warn(missing[:SHOWN_CHARACTERS])


@cache
def _warn(missing: str) -> None:
    warn(f"no installed font has {missing}; install one such as Noto Sans CJK")


@cache
def _file(family: str) -> str:
    return font_manager.findfont(family)


@cache
def _all_known() -> frozenset[int]:
    return frozenset().union(*(_known(_file(family)) for family in families()))


@cache
def _known(file: str) -> frozenset[int]:
    return frozenset(font_manager.get_font(file).get_charmap())

"""Names of results that are made of image files."""

import functools
import os
from collections import Counter

from shared.common.inputs import STANDARD_INPUT, Source
from shared.image.reader import IMAGE_SUFFIXES


def result_name(source: Source) -> str:
    """The source's relative path without its suffix, which results add their own to.

    The suffix stays where another image could claim the same name: a.png beside a.jpg gives
    "a.png". No two sources of a run have the same.
    """
    stem, suffix = os.path.splitext(source.name)
    is_known = suffix.lower() in IMAGE_SUFFIXES and stem != STANDARD_INPUT
    if not is_known or os.path.splitext(stem)[1].lower() in IMAGE_SUFFIXES:
        return source.name
    folder, name = os.path.split(source.path)
    try:
        shared = _shared_stems(folder, os.stat(folder).st_mtime_ns)
    except OSError:
        return source.name
    return source.name if os.path.splitext(name)[0] in shared else stem


@functools.lru_cache(maxsize=64)
def _shared_stems(folder: str, changed: int) -> frozenset[str]:
    """The stems of images of a folder that other images have, or other files as their name.

    Args:
        folder: its path.
        changed: int. When a name in it changed last, for the cache.
    """
    names = set(os.listdir(folder))
    parts = map(os.path.splitext, names)
    counts = Counter(stem for stem, suffix in parts if suffix.lower() in IMAGE_SUFFIXES)
    return frozenset(stem for stem, count in counts.items() if count > 1 or stem in names)

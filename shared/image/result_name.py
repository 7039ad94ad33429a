"""Names of results that are made of image files."""

import os

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
    path = os.path.splitext(source.path)[0]
    others = {path + other for known in IMAGE_SUFFIXES for other in (known, known.upper())}
    is_alone = not any(map(os.path.lexists, {path, *others} - {str(source.path)}))
    return stem if is_alone else source.name

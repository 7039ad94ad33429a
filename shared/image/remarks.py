"""Lines on what is left out or changed of the pictures in a user's folders."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence

from shared.common.input_paths import files_below
from shared.image.reader import ImageHeader

UNREAD_SUFFIXES = (
    *(".heic", ".heif", ".jp2", ".j2k", ".jpx", ".jxl", ".svg", ".svgz", ".psd", ".xcf", ".ico"),
    *(".tga", ".eps", ".exr", ".hdr", ".dds", ".pcx", ".dcm", ".raw", ".dng", ".cr2", ".cr3"),
    *(".nef", ".arw", ".orf", ".rw2", ".raf", ".mpo", ".pfm", ".sgi", ".xbm", ".xpm"),
)


def image_remarks(paths: Iterable[str], headers: Sequence[ImageHeader]) -> list[str]:
    """A line for each kind of picture that is left out or loses something.

    Args:
        paths: files and folders of the data.
        headers: of the images that are used.
    """
    return unread_pictures(paths) + changed_pixels(headers)


def unread_pictures(paths: Iterable[str | os.PathLike]) -> list[str]:
    """Counts the pictures below folders whose type is not read.

    Args:
        paths: files and folders.

    Returns:
        One line, or none where there is no such picture.
    """
    folders = (path for path in paths if os.path.isdir(path))
    found = [file for folder in folders for file in files_below(folder, UNREAD_SUFFIXES)]
    if not found:
        return []
    counts = Counter(os.path.splitext(file)[1].lower() for file in found)
    types = ", ".join(f"{count} {suffix}" for suffix, count in counts.most_common())
    return [
        f"{len(found)} picture(s) of types that are not read are left out ({types}), as "
        f"{found[0]}; convert them to JPEG or PNG"
    ]


def changed_pixels(headers: Sequence[ImageHeader]) -> list[str]:
    """A line for each kind of loss among the images, see `PixelChanges`.

    Args:
        headers: of the images that are used.
    """
    changes = PixelChanges()
    for header in headers:
        changes.count(header)
    return changes.lines()


class PixelChanges:
    """Counts the images that lose something when they become RGB of 8 bits."""

    def __init__(self):
        self._transparent = self._deep = 0

    def count(self, header: ImageHeader) -> None:
        """Adds an image."""
        self._transparent += header.is_transparent
        self._deep += header.is_deep

    def lines(self) -> list[str]:
        """A line for each kind of loss."""
        lines = []
        if self._transparent:
            lines.append(f"{self._transparent} image(s) are transparent and are laid over white")
        if self._deep:
            lines.append(
                f"{self._deep} image(s) have more than 8 bits a channel, of which 8 are kept"
            )
        return lines

"""The image files below a folder, found by the names that annotation files give them."""

import os
from collections import defaultdict
from pathlib import PurePath, PureWindowsPath

from shared.image.reader import IMAGE_SUFFIXES


def find_files(root, suffixes):
    """Paths below `root` with one of the suffixes, in a stable order; hidden ones are left out."""
    found = []
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if not name.startswith("."))
        found += [
            os.path.join(folder, name)
            for name in sorted(files)
            if os.path.splitext(name)[1].lower() in suffixes and not name.startswith(".")
        ]
    return found


class ImageIndex:
    """The images below a folder.

    Args:
        root: the folder.
    """

    def __init__(self, root):
        self.root = str(root)
        self.paths = find_files(root, IMAGE_SUFFIXES)
        self._by_stem = defaultdict(list)
        self._by_name = defaultdict(list)
        for path in self.paths:
            self._by_stem[os.path.splitext(os.path.basename(path))[0]].append(path)
            self._by_name[os.path.basename(path)].append(path)

    def by_stem(self, stem, hint=""):
        """The image `stem`.*; of several the one whose folders are most like those of `hint`."""
        return _most_alike(self._by_stem.get(stem, []), hint)

    def by_name(self, name, hint=""):
        """The image of a file name that may have folders, also those of another machine."""
        parts = _parts(name)
        candidates = self._by_name.get(parts[-1], []) if parts else []
        return _most_alike(candidates, os.path.join(hint, *parts))


def _most_alike(candidates, hint):
    """Shared folders at the end count first, then shared folders anywhere."""
    if len(candidates) <= 1:
        return candidates[0] if candidates else None
    wanted = PurePath(hint).parent.parts

    def likeness(path):
        folders = PurePath(path).parent.parts
        tail = os.path.commonprefix([folders[::-1], wanted[::-1]])
        return len(tail), len(set(folders) & set(wanted))

    return max(candidates, key=likeness)


def _parts(name):
    parts = PureWindowsPath(name).parts if "\\" in name else PurePath(name).parts
    return [part for part in parts if part not in ("..", ".")]

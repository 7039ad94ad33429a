"""The image files below a folder, found by the names that annotation files give them."""

import os
from collections import defaultdict
from pathlib import PurePath, PureWindowsPath

from apps.vision.detection.annotations.image_boxes import split_of_name
from shared.common.input_paths import files_below
from shared.image.reader import IMAGE_SUFFIXES


class AmbiguousName(ValueError):
    """Several images fit a name equally well; the message names two."""


class ImageIndex:
    """The images below a folder.

    Of several images with the name that is looked for, the one is taken whose folders end as the
    name's own do; then the one in a folder of the same split; then the one whose folders are most
    like those of the hint, at their end and anywhere. A tie is an `AmbiguousName`.

    Args:
        root: the folder.
    """

    def __init__(self, root):
        self.root = str(root)
        self.paths = files_below(root, IMAGE_SUFFIXES)
        self._by_stem = defaultdict(list)
        self._by_name = defaultdict(list)
        self._splits = set()
        for path in self.paths:
            self._by_stem[os.path.splitext(os.path.basename(path))[0]].append(path)
            self._by_name[os.path.basename(path)].append(path)
            self._splits |= self.splits_of(path)

    def by_stem(self, stem, hint="", split=""):
        """Finds the image `stem`.*.

        Args:
            stem: file name without folders and suffix.
            hint: path of a file whose folders those of the image are most like.
            split: the split that the annotation belongs to, or "".

        Returns:
            Its path or None.
        """
        return self._best(self._by_stem.get(stem, []), [], os.path.dirname(hint), split)

    def by_name(self, name, hint="", split=""):
        """Finds the image of a file name, which may have folders, also of another machine.

        Args:
            name: the name.
            hint: path of a folder whose folders those of the image are most like.
            split: the split that the annotation belongs to, or "".

        Returns:
            Its path or None.
        """
        *folders, last = _parts(name) or [""]
        return self._best(self._by_name.get(last, []), folders, hint, split)

    def has_split(self, split):
        """Whether a folder with images is named after a split."""
        return split in self._splits

    def splits_of(self, path):
        """The splits that the folders of an image are named after."""
        folders = os.path.relpath(os.path.dirname(path), self.root).split(os.sep)
        return {split for folder in folders if (split := split_of_name(folder))}

    def _best(self, candidates, folders, hint, split):
        if len(candidates) <= 1:
            return candidates[0] if candidates else None
        own, hinted = PurePath(*folders).parts, PurePath(hint, *folders).parts

        def likeness(path):
            inside = PurePath(path).parent.parts
            is_of_split = split in self.splits_of(path)
            common = len(set(inside) & set(hinted))
            return _common_end(inside, own), is_of_split, _common_end(inside, hinted), common

        first, second = sorted(candidates, key=likeness, reverse=True)[:2]
        if likeness(first) == likeness(second):
            raise AmbiguousName(f"may be {first} or {second}")
        return first


def _common_end(folders, others):
    return len(os.path.commonprefix([folders[::-1], others[::-1]]))


def _parts(name):
    parts = PureWindowsPath(name).parts if "\\" in name else PurePath(name).parts
    return [part for part in parts if part not in ("..", ".")]

"""Finds the pictures of a user's folders and says which are held out.

Layouts:
    DATA/*.jpg, DATA/CLASS/*.jpg    split by `--validation-split`
    DATA/train/... DATA/val/...     the data's own split
Names of folders are no targets: they colour the map of the codes.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from apps.generative.autoencoder.config import DataConfig
from shared.common.errors import KerasuiteError
from shared.common.files import printable
from shared.common.input_paths import files_below, folders_in
from shared.common.splits import SPLIT_OF_NAME, TRAIN, VALIDATION
from shared.image.image_file import ImageFile, of_split
from shared.image.reader import IMAGE_SUFFIXES, ImageHeader
from shared.image.scan import scan_images

GREY_MODES = ("1", "L", "LA", "La", "I", "F")


@dataclass(frozen=True)
class Picture(ImageFile):
    """A picture and the name of the folder that it is in, "" for none."""

    label: str = ""


@dataclass
class Pictures:
    """The readable pictures and what is left out.

    Attributes:
        files: in a stable order.
        headers: of each.
        skipped: (path, reason) of those that cannot be used.
        outside: number of pictures beside the folders train and val.
    """

    files: list[Picture]
    headers: list[ImageHeader] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    outside: int = 0

    def channels(self, colour: str) -> int:
        """Of the model: 1 for "grey", 3 for "rgb"; "auto" is grey where all pictures are."""
        if colour == "auto":
            colour = "grey" if all(map(is_grey, self.headers)) else "rgb"
        return {"grey": 1, "rgb": 3}[colour]


def is_grey(header: ImageHeader) -> bool:
    """Whether a picture has one channel beside transparency."""
    return header.mode.partition(";")[0].removesuffix(" transparent") in GREY_MODES


def read_pictures(data: Sequence[str], options: DataConfig) -> Pictures:
    """Finds pictures and separates those that can be read from those that cannot.

    Args:
        data: folders and picture files.
        options: which are too large.

    Raises:
        KerasuiteError: if a path is missing or holds no picture, or none can be read.
    """
    found, outside = _find(data)
    result = Pictures([], outside=outside)
    scans = scan_images([file.path for file in found], max_pixels=options.max_pixels)
    for file, scan in zip(found, scans, strict=True):
        if scan.problem:
            result.skipped.append((file.path, scan.problem))
        else:
            result.files.append(replace(file, is_direct=scan.header.is_direct))
            result.headers.append(scan.header)
    if not result.files:
        path, reason = result.skipped[0]
        raise KerasuiteError(
            f"none of {len(found)} pictures can be read; the first is {printable(path)}: {reason}"
        )
    return result


def _find(data: Sequence[str]) -> tuple[list[Picture], int]:
    """The pictures, each once, and the number of those beside train and val."""
    by_path: dict[str, Picture] = {}
    outside = 0
    for text in data:
        path = Path(text)
        if not path.exists():
            raise KerasuiteError(f"{path}: no such file or folder; check the path")
        files = [Picture(str(path))] if path.is_file() else _from_folder(path)
        if not files:
            raise KerasuiteError(
                f"{path}: no pictures in it; expected {' '.join(sorted(IMAGE_SUFFIXES))} files"
            )
        if path.is_dir():
            outside += len(files_below(path, IMAGE_SUFFIXES)) - len(files)
        for file in files:
            by_path.setdefault(os.path.realpath(file.path), file)
    return list(by_path.values()), outside


def _from_folder(folder: Path) -> list[Picture]:
    return [
        Picture(path, label=_label(path, part), split=split)
        for part, split in _parts(folder)
        for path in files_below(part, IMAGE_SUFFIXES)
    ]


def _parts(folder: Path) -> list[tuple[Path, str]]:
    """The folders train and val with their split, or the folder itself."""
    named = {Path(path): SPLIT_OF_NAME.get(Path(path).name.lower()) for path in folders_in(folder)}
    parts = {path: split for path, split in named.items() if split in (TRAIN, VALIDATION)}
    if TRAIN not in parts.values():
        return [(folder, "")]
    own_split = VALIDATION in parts.values()
    return [(path, split if own_split else "") for path, split in parts.items()]


def _label(path: str, folder: Path) -> str:
    inside = os.path.relpath(path, folder).split(os.sep)
    return inside[0] if len(inside) > 1 else ""


def split_pictures(files: list[Picture], validation_split: float, seed: int) -> list[Picture]:
    """Gives every picture a split: the data's own, or a random part that is held out.

    Args:
        files: the readable pictures.
        validation_split: float. Fraction held out.
        seed: int. Seed of the choice.

    Raises:
        KerasuiteError: if one of the parts would be empty.
    """
    if len(files) < 2:
        raise KerasuiteError(
            f"{printable(files[0].path)}: is the only usable picture, and one to train on and one "
            f"to validate on are needed; add pictures"
        )
    if any(file.split for file in files):
        kept = [replace(file, split=file.split or TRAIN) for file in files]
        for split in (TRAIN, VALIDATION):
            if not of_split(kept, split):
                raise KerasuiteError(f"DATA: no usable picture in the {split} part; add some")
        return kept
    count = min(max(1, round(len(files) * validation_split)), len(files) - 1)
    held_out = set(np.random.default_rng(seed).permutation(len(files))[:count].tolist())
    return [
        replace(file, split=VALIDATION if index in held_out else TRAIN)
        for index, file in enumerate(files)
    ]


def resized_pictures(headers: Sequence[ImageHeader], options: DataConfig) -> list[str]:
    """A line for each way in which pictures change when they become squares of one size."""
    side = options.image_size
    small = sum(min(header.width, header.height) < side for header in headers)
    oblong = sum(header.width != header.height for header in headers)
    lines = []
    if small:
        lines.append(f"{small} picture(s) are smaller than --image-size {side} and are enlarged")
    if oblong:
        what = "what stands out of the square is cut off"
        what = what if options.resize == "cover" else "are squashed to one"
        lines.append(f"{oblong} picture(s) are not square: {what}")
    return lines


def turned_grey(pictures: Pictures, channels: int) -> list[str]:
    """A line if pictures lose their colours."""
    count = sum(not is_grey(header) for header in pictures.headers)
    if channels != 1 or not count:
        return []
    return [f"{count} picture(s) in colour are turned grey (--colour grey)"]


def left_outside(pictures: Pictures) -> list[str]:
    """A line if pictures stand beside the folders that are used."""
    if not pictures.outside:
        return []
    return [f"{pictures.outside} picture(s) beside the folders train and val are not used"]


def large_code(code: int, image_size: int, channels: int) -> list[str]:
    """A line if a code has no fewer numbers than a picture."""
    pixels = image_size * image_size * channels
    if code < pixels:
        return []
    return [
        f"--code {code}: a picture has only {pixels} numbers itself, so that nothing needs to be "
        f"compressed"
    ]

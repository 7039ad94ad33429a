"""The images of a super-resolution data set: found, paired, checked and split.

A folder of high-resolution images is all that is needed; a folder with `HR` and `LR` in it holds
pairs, of equal names (0001.png or 0001x4.png in LR for 0001.png in HR).
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from shared.common.errors import KerasuiteError
from shared.common.inputs import find_inputs
from shared.common.splits import TRAIN, VALIDATION
from shared.image.image_file import ImageFile
from shared.image.reader import IMAGE_SUFFIXES, ImageHeader
from shared.image.scan import scan_images

HIGH, LOW = "HR", "LR"
HELD_OUT = 10  # every tenth image
MIN_SIDE = 11  # of what SSIM is computed on, without the borders


@dataclass(frozen=True)
class Picture(ImageFile):
    """A high-resolution image and, where it has one, the low-resolution image of its pair.

    Attributes:
        width, height: of the high-resolution image, in pixels.
        low: the low-resolution image; None where it is made.
    """

    width: int = 0
    height: int = 0
    low: ImageFile | None = None

    def to_json(self):
        return super().to_json() | {"low": self.low and self.low.to_json()}

    @classmethod
    def from_json(cls, values):
        return cls(**values | {"low": values["low"] and ImageFile.from_json(values["low"])})


@dataclass
class Pictures:
    """Usable pictures, (path, reason) of the others, and image headers for `check`."""

    pictures: list[Picture]
    skipped: list[tuple[str, str]] = field(default_factory=list)
    headers: list[ImageHeader] = field(default_factory=list)


def read_pictures(paths: Sequence[str], scale: int, min_side: int, max_pixels: int) -> Pictures:
    """Finds the images of folders and files and keeps those that can be used.

    Args:
        paths: files and folders; folders with HR and LR in them hold pairs.
        scale: int. Factor between the images of a pair.
        min_side: int. Shortest usable side of a high-resolution image, in pixels.
        max_pixels: int. Larger images are refused by their header.

    Raises:
        KerasuiteError: if a path is missing or holds no image.
    """
    found = Pictures([])
    for path in paths:
        if _is_paired(path):
            candidates = _paired(Path(path), found.skipped)
        else:
            sources = find_inputs([path], tuple(IMAGE_SUFFIXES))
            candidates = [Picture(str(source.path)) for source in sources]
        _keep_usable(candidates, found, scale, min_side, max_pixels)
    return found


def _is_paired(path: str) -> bool:
    return all((Path(path) / name).is_dir() for name in (HIGH, LOW))


def _paired(folder: Path, skipped: list[tuple[str, str]]) -> list[Picture]:
    highs, lows = (_by_key(folder / name) for name in (HIGH, LOW))
    for files, others, name in ((lows, highs, HIGH), (highs, lows, LOW)):
        alone = sorted(files.keys() - others.keys())
        skipped += [(files[key], f"has no image of that name in {name}") for key in alone]
    return [Picture(highs[key], low=ImageFile(lows[key])) for key in highs if key in lows]


def _by_key(folder: Path) -> dict[str, str]:
    """Path relative to the folder, without the suffix and an x4 before it, to the file."""
    files = {}
    for source in find_inputs([str(folder)], tuple(IMAGE_SUFFIXES)):
        stem = os.path.splitext(source.name)[0]
        files[re.sub(r"x[2-8]$", "", stem)] = str(source.path)
    return files


def _keep_usable(candidates, found: Pictures, scale, min_side, max_pixels) -> None:
    highs = scan_images([each.path for each in candidates], max_pixels=max_pixels)
    lows = iter(
        scan_images([each.low.path for each in candidates if each.low], max_pixels=max_pixels)
    )
    for candidate, high in zip(candidates, highs, strict=True):
        low = next(lows) if candidate.low else None
        problem = _problem(high, low, scale, min_side)
        if problem:
            found.skipped.append(problem)
            continue
        found.headers.append(high.header)
        picture = replace(
            candidate,
            width=high.header.width,
            height=high.header.height,
            is_direct=high.header.is_direct,
            low=low and replace(candidate.low, is_direct=low.header.is_direct),
        )
        found.pictures.append(picture)


def _problem(high, low, scale: int, min_side: int) -> tuple[str, str] | None:
    """The path of an image that cannot be used, and why; None if all is well."""
    for scan in (high, low):
        if scan is not None and scan.problem:
            return scan.path, scan.problem
    width, height = high.header.width, high.header.height
    if min(width, height) < min_side:
        return high.path, f"{width} x {height} pixels are less than the {min_side} of a crop"
    if low is not None and not _fits(high.header, low.header, scale):
        return low.path, (
            f"{low.header.width} x {low.header.height} pixels are not {width} x {height} divided "
            f"by {scale}; give the right --scale"
        )
    return None


def _fits(high: ImageHeader, low: ImageHeader, scale: int) -> bool:
    """Whether the low-resolution image shows all of the high-resolution one but its remainder."""
    return (high.width // scale, high.height // scale) == (low.width, low.height)


def split_pictures(pictures: list[Picture]) -> list[Picture]:
    """Holds out every tenth picture, in the order of their paths; at least one.

    Raises:
        KerasuiteError: if there is only one picture.
    """
    if len(pictures) < 2:
        raise KerasuiteError(
            f"{pictures[0].path}: is the only usable image, which is too few to train and "
            f"validate on; add images or name others with --validation FOLDER"
        )
    ordered = sorted(pictures, key=lambda picture: picture.path)
    first = min(HELD_OUT, len(ordered)) - 1
    return [
        replace(picture, split=TRAIN if index % HELD_OUT != first else VALIDATION)
        for index, picture in enumerate(ordered)
    ]

"""Finds the pictures to learn from, and their classes.

Layouts:
    DATA/*.png               without classes
    DATA/CLASS/*.png         the first folder below DATA is the class
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from apps.generative.gan.config import DataConfig
from shared.common.errors import KerasuiteError
from shared.common.input_paths import files_below
from shared.common.names import usable_name
from shared.common.splits import TRAIN
from shared.image.image_file import ImageFile
from shared.image.reader import IMAGE_SUFFIXES, ImageHeader
from shared.image.scan import scan_images

GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "F"})


@dataclass(frozen=True)
class Picture(ImageFile):
    """A picture and its class, "" where it lies in no folder of its own."""

    label: str = ""


@dataclass
class Pictures:
    """All pictures of a data set and what was left out.

    Attributes:
        files: the readable pictures, in a stable order.
        headers: what the header of each says.
        skipped: (path, reason) of the files that cannot be used.
    """

    files: list[Picture] = field(default_factory=list)
    headers: list[ImageHeader] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)


def find_pictures(data: Sequence[str]) -> list[Picture]:
    """Lists pictures, without opening them.

    Raises:
        KerasuiteError: if a folder is missing or holds none.
    """
    found: dict[str, Picture] = {}
    for folder in map(Path, data):
        if not folder.is_dir():
            raise KerasuiteError(f"{folder}: no such folder; give folders with pictures")
        paths = files_below(folder, IMAGE_SUFFIXES)
        if not paths:
            raise KerasuiteError(
                f"{folder}: no pictures in it; expected {' '.join(sorted(IMAGE_SUFFIXES))} files"
            )
        for path in paths:
            inside = Path(path).relative_to(folder).parts
            label = usable_name(inside[0], path) if len(inside) > 1 else ""
            found.setdefault(path, Picture(path, label, split=TRAIN))
    return list(found.values())


def usable_pictures(data: Sequence[str], options: DataConfig) -> Pictures:
    """Separates the pictures that can be trained on from the ones that cannot."""
    files = find_pictures(data)
    result = Pictures()
    scans = scan_images([file.path for file in files], max_pixels=options.max_pixels)
    for file, scan in zip(files, scans, strict=True):
        if scan.problem:
            result.skipped.append((file.path, scan.problem))
        else:
            result.files.append(replace(file, is_direct=scan.header.is_direct))
            result.headers.append(scan.header)
    return result


def class_names(files: Sequence[Picture]) -> list[str]:
    """The classes, where every picture has one and there are two at least; otherwise none."""
    names = sorted({file.label for file in files})
    return names if len(names) > 1 and "" not in names else []


def refuse_too_few(found: Pictures, options: DataConfig) -> None:
    """Raises KerasuiteError if there are too few pictures, or too few of a class to be learnt."""
    if len(found.files) < 2:
        first = f"; the first left out is {': '.join(found.skipped[0])}" if found.skipped else ""
        raise KerasuiteError(f"DATA: {len(found.files)} usable picture(s), needs at least 2{first}")
    if not options.labels:
        return
    if not class_names(found.files):
        raise KerasuiteError(
            "--labels: DATA has no classes; put the pictures of each class into a folder of its "
            "own below DATA, at least two folders, or leave --labels out"
        )
    for name, count in Counter(file.label for file in found.files).items():
        if count < 2:
            raise KerasuiteError(
                f"--labels: class '{name}' has 1 usable picture and needs at least 2; add pictures "
                f"or remove the folder"
            )


def channels_of(headers: Sequence[ImageHeader], options: DataConfig) -> int:
    """1 for grey pictures, 3 for coloured ones."""
    if options.channels != "auto":
        return 1 if options.channels == "grey" else 3
    return 1 if all(header.mode in GREY_MODES for header in headers) else 3


def changed_sizes(headers: Sequence[ImageHeader], options: DataConfig) -> list[str]:
    """Lines on pictures that are enlarged, or lose their borders or their proportions."""
    side, lines = options.image_size, []
    if small := sum(min(header.width, header.height) < side for header in headers):
        lines.append(f"{small} picture(s) are smaller than --image-size {side} and are enlarged")
    if shapes := sum(header.width != header.height for header in headers):
        done = {"cover": "cut to their middle", "squash": "squashed"}[options.resize]
        lines.append(f"{shapes} picture(s) are no squares and are {done}")
    return lines

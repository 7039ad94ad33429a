"""Finds the images of the two domains and says which are held out.

Layouts:
    DATA/trainA DATA/trainB [DATA/testA DATA/testB]    as the paper's data sets come
    DATA_A DATA_B                                      two folders, split by --validation-split
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from apps.generative.cyclegan.config import DataConfig
from shared.common.errors import KerasuiteError
from shared.common.input_paths import files_below, folders_in
from shared.common.splits import TRAIN, VALIDATION
from shared.image.image_file import ImageFile
from shared.image.reader import IMAGE_SUFFIXES
from shared.image.scan import ImageHeader, scan_images

DOMAINS = ("a", "b")


@dataclass(frozen=True)
class DomainFile(ImageFile):
    """An image and its domain, "a" or "b"."""

    domain: str


@dataclass
class Found:
    """The images of both domains and the files that cannot be used.

    Attributes:
        files: the readable images, in a stable order.
        headers: what the header of each says.
        skipped: (path, reason) of the images that cannot be used.
    """

    files: list[DomainFile]
    headers: list[ImageHeader]
    skipped: list[tuple[str, str]]

    def count(self, domain: str, split: str | None = None) -> int:
        return sum(f.domain == domain and split in (None, f.split) for f in self.files)


def find_files(data: Sequence[str]) -> list[DomainFile]:
    """Lists the images of both domains, without opening them.

    Raises:
        KerasuiteError: if the folders are not there or one has no image.
    """
    folders = [Path(text) for text in data]
    for folder in folders:
        if not folder.is_dir():
            raise KerasuiteError(f"{folder}: no such folder")
    if len(folders) == 2:
        found = {("a", ""): folders[0], ("b", ""): folders[1]}
    elif len(folders) == 1:
        found = _named_folders(folders[0])
    else:
        raise KerasuiteError(
            f"DATA: is one folder with trainA and trainB, or two folders, not {len(folders)}"
        )
    files = []
    for (domain, split), folder in found.items():
        images = files_below(folder, IMAGE_SUFFIXES)
        if not images:
            raise KerasuiteError(
                f"{folder}: no images in it; expected {' '.join(sorted(IMAGE_SUFFIXES))} files"
            )
        files += [DomainFile(path, domain, split=split) for path in images]
    return files


def _named_folders(folder: Path) -> dict[tuple[str, str], Path]:
    """trainA, trainB, testA and testB, however they are capitalised."""
    inside = {(path := Path(name)).name.lower(): path for name in folders_in(folder)}
    for name in ("trainA", "trainB"):
        if name.lower() not in inside:
            raise KerasuiteError(
                f"{folder}: has no folder {name}; expected trainA and trainB in it, or give the "
                f"folders of the two domains"
            )
    tests = [name for name in ("testa", "testb") if name in inside]
    if len(tests) == 1:
        raise KerasuiteError(
            f"{folder}: has {inside[tests[0]].name} only; needs both tests or none"
        )
    found = {}
    for domain in DOMAINS:
        found[domain, TRAIN if tests else ""] = inside[f"train{domain}"]
        if tests:
            found[domain, VALIDATION] = inside[f"test{domain}"]
    return found


def usable_files(files: list[DomainFile], options: DataConfig) -> Found:
    """Separates the images that can be trained on from the ones that cannot."""
    found = Found([], [], [])
    scans = scan_images([file.path for file in files], max_pixels=options.max_pixels)
    for file, scan in zip(files, scans, strict=True):
        problem = scan.problem or _size_problem(scan.header, options)
        if problem:
            found.skipped.append((file.path, problem))
        else:
            found.files.append(replace(file, is_direct=scan.header.is_direct))
            found.headers.append(scan.header)
    return found


def _size_problem(header: ImageHeader, options: DataConfig) -> str:
    if options.resize == "none" and min(header.width, header.height) < options.image_size:
        return (
            f"{header.width} x {header.height} is smaller than the crop of --image-size "
            f"{options.image_size}; use --resize squash or cover"
        )
    return ""


def split_files(found: Found, validation_split: float, seed: int) -> list[DomainFile]:
    """Gives every file a split: the data's own, or a part of each domain that is held out.

    Raises:
        KerasuiteError: if a domain has too few images.
    """
    _check_domains(found)
    generator = np.random.default_rng(seed)
    files = list(found.files)
    for domain in DOMAINS:
        unsplit = [i for i, file in enumerate(files) if file.domain == domain and not file.split]
        count = max(1, round(len(unsplit) * validation_split))
        held_out = set(generator.permutation(unsplit)[:count].tolist())
        for index in unsplit:
            split = VALIDATION if index in held_out else TRAIN
            files[index] = replace(files[index], split=split)
    return files


def _check_domains(found: Found) -> None:
    for domain in DOMAINS:
        name = domain.upper()
        own_split = any(f.split for f in found.files)
        training = found.count(domain, TRAIN) if own_split else found.count(domain)
        if training < 2:
            raise KerasuiteError(
                f"domain {name}: {training} usable image(s), needs at least 2{_first(found)}"
            )
        if own_split and not found.count(domain, VALIDATION):
            raise KerasuiteError(f"test{name}: no usable image in it{_first(found)}")


def _first(found: Found) -> str:
    """The first reason, where images were left out."""
    if not found.skipped:
        return ""
    path, reason = found.skipped[0]
    return f"; {len(found.skipped)} cannot be used, the first is {path}: {reason}"

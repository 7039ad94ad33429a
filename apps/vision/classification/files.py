"""Finds the labelled images in a user's folders and CSV files, and splits them.

Layouts:
    DATA/CLASS/*.jpg                     split by `--validation-split`
    DATA/train/CLASS/* DATA/val/CLASS/*  the data's own split
                                         (a folder `train` without folders is a class)
    DATA.csv with path,label             paths relative to the CSV; an optional column `split`;
                                         see `label_tables` for several labels an image
"""

import os
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from apps.vision.classification.label_tables import joined, label_set, read_label_table
from shared.common.errors import KerasuiteError
from shared.common.input_paths import files_below, folders_in
from shared.common.names import usable_name
from shared.common.splits import SPLIT_OF_NAME, TEST, THRESHOLDS, TRAIN, VALIDATION
from shared.common.stratified import stratified_parts
from shared.image.image_file import ImageFile
from shared.image.reader import IMAGE_SUFFIXES, ImageHeader
from shared.metrics.multilabel import multi_hot
from shared.text.tables.label_sets import MULTILABEL, SINGLE

USED_SPLITS = {name: split for name, split in SPLIT_OF_NAME.items() if split != TEST}


@dataclass(frozen=True)
class LabelledFile(ImageFile):
    """An image and the name of its class, or several labels as `label_tables.joined` gives them."""

    label: str


@dataclass
class LabelledFiles:
    """All images of a data set and what was skipped.

    Attributes:
        files: the readable images, in a stable order.
        skipped: (path, reason) of files that cannot be used.
        headers: of the readable images.
        total_pixels: pixels of all images together.
        kind: "single", or "multilabel" where an image has several labels.
    """

    files: list[LabelledFile]
    kind: str = SINGLE
    skipped: list[tuple[str, str]] = field(default_factory=list)
    headers: list[ImageHeader] = field(default_factory=list)
    total_pixels: int = 0

    @property
    def class_names(self) -> list[str]:
        return sorted({label for file in self.files for label in labels_of(file, self.kind)})


def labels_of(file: LabelledFile, kind: str) -> tuple[str, ...]:
    """The labels of an image: its class, or any number."""
    return label_set(file.label) if kind == MULTILABEL else (file.label,)


def find_files(data: list[str] | tuple[str, ...], kind: str = SINGLE) -> list[LabelledFile]:
    """Lists the labelled images of folders and CSV files, without opening them.

    Args:
        data: files and folders.
        kind: "single" or "multilabel", see `label_tables.found_kind`.

    Raises:
        KerasuiteError: if a path is missing or holds no labelled image.
    """
    found: list[LabelledFile] = []
    for text in data:
        path = Path(text)
        if not path.exists():
            raise KerasuiteError(f"{path}: no such file or folder")
        files = _from_csv(path, kind) if path.is_file() else _from_folder(path)
        if not files:
            raise KerasuiteError(
                f"{path}: no images in it; expected a folder per class with "
                f"{' '.join(sorted(IMAGE_SUFFIXES))} files"
            )
        found += files
    return _merged(found) if kind == MULTILABEL else _without_repeats(found)


def _merged(files: list[LabelledFile]) -> list[LabelledFile]:
    """Each image once, with the labels of all classes and rows that name it.

    Raises:
        KerasuiteError: if an image is in two parts.
    """
    kept: dict[str, LabelledFile] = {}  # by real path
    for file in files:
        real = os.path.realpath(file.path)
        first = kept.setdefault(real, file)
        if first.split != file.split:
            raise KerasuiteError(
                f"{file.path}: is named twice, in {first.split or 'no part'} and in "
                f"{file.split or 'no part'}; remove one"
            )
        kept[real] = replace(first, label=joined(label_set(first.label) + label_set(file.label)))
    return list(kept.values())


def _without_repeats(files: list[LabelledFile]) -> list[LabelledFile]:
    """Each image once, so that none is in both parts; once a class where links lead into several.

    Raises:
        KerasuiteError: if an image is in two parts, or is named with two labels without a link.
    """
    named: dict[str, LabelledFile] = {}  # by real path
    kept: dict[tuple[str, str], LabelledFile] = {}
    for file in files:
        real = os.path.realpath(file.path)
        first = named.setdefault(real, file)
        kept.setdefault((real, file.label), file)
        is_linked = os.path.abspath(first.path) != os.path.abspath(file.path)
        if first.split != file.split or (first.label != file.label and not is_linked):
            raise KerasuiteError(
                f"{file.path}: is named twice, as '{first.label}' {first.split} and as "
                f"'{file.label}' {file.split}; remove one"
            )
    return list(kept.values())


def linked_into_several_classes(files: Sequence[LabelledFile]) -> list[str]:
    """A line if links give images several labels, which none can have.

    Args:
        files: as `find_files` gives them.
    """
    counts = Counter(os.path.realpath(file.path) for file in files)
    several = [path for path, count in counts.items() if count > 1]
    if not several:
        return []
    return [f"{len(several)} image(s) are in several classes by links, as {several[0]}"]


def _from_folder(folder: Path) -> list[LabelledFile]:
    return [
        LabelledFile(path, _class_name(part), split=split)
        for part, split in _class_folders(folder)
        for path in files_below(part, IMAGE_SUFFIXES)
    ]


def classes_without_images(data: Sequence[str], found: Collection[str]) -> list[str]:
    """A line for each folder of a class of which no image of a type that is read was found.

    Args:
        data: files and folders.
        found: the classes with images.
    """
    folders = [path for text in data if (path := Path(text)).is_dir()]
    return [
        f"{part}: the class '{_class_name(part)}' has no image of a type that is read"
        for folder in folders
        for part, _ in _class_folders(folder)
        if _class_name(part) not in found
    ]


def _class_folders(folder: Path) -> list[tuple[Path, str]]:
    """The folders of the classes, each with the split that its parent names or ""."""
    inside = [Path(path) for path in folders_in(folder)]
    parts = {p: USED_SPLITS[p.name.lower()] for p in inside if p.name.lower() in USED_SPLITS}
    parts = {part: split for part, split in parts.items() if folders_in(part)}
    if TRAIN not in parts.values():
        return [(path, "") for path in inside]
    own_split = VALIDATION in parts.values()
    return [
        (Path(path), split if own_split else "")
        for part, split in parts.items()
        for path in folders_in(part)
    ]


def _class_name(folder: Path) -> str:
    return usable_name(folder.name, str(folder))


def _from_csv(path: Path, kind: str) -> list[LabelledFile]:
    table = read_label_table(path)
    return [_csv_row(path, *row) for row in table.labelled(kind)]


def _csv_row(path: Path, number: int, row: dict, label: str) -> LabelledFile:
    split = (row.get("split") or "").strip().lower()
    if split and split not in USED_SPLITS:
        raise KerasuiteError(f"{path}, line {number}: split '{split}' is not train or val")
    image = path.parent / row["path"].strip()
    if "\\" in row["path"] and not image.exists():  # Written on Windows.
        image = path.parent / row["path"].strip().replace("\\", "/")
    return LabelledFile(str(image), label, split=USED_SPLITS.get(split, ""))


def split_files(
    files: list[LabelledFile], validation_split: float, fold: int, seed: int
) -> list[LabelledFile]:
    """Gives every file a split: the data's own, or stratified folds.

    Every class is cut into `round(1 / validation_split)` folds; number `fold` is for validation.
    A class with fewer images than folds has one image in each, some of them twice.

    Args:
        files: the readable images.
        validation_split: float. Fraction for validation, between 0 and 1.
        fold: int. Number of the fold for validation.
        seed: int.

    Raises:
        KerasuiteError: if a class is too small to stand in both parts.
    """
    _check_classes(files)
    if any(file.split for file in files):
        return _keep_own_split(files)
    count = _fold_count(validation_split, fold)
    labels = np.array([file.label for file in files])
    generator = np.random.default_rng(seed)
    held_out: set[int] = set()
    for label in np.unique(labels):
        shuffled = generator.permutation(np.flatnonzero(labels == label))
        size = len(shuffled)
        part = shuffled[fold * size // count : (fold + 1) * size // count]
        held_out.update((part if len(part) else shuffled[[fold % size]]).tolist())
    return [
        replace(file, split=VALIDATION if index in held_out else TRAIN)
        for index, file in enumerate(files)
    ]


def _fold_count(validation_split: float, fold: int) -> int:
    count = max(2, round(1 / validation_split))
    if fold >= count:
        raise KerasuiteError(
            f"--fold {fold}: --validation-split {validation_split} makes the folds 0 to {count - 1}"
        )
    return count


def split_label_sets(
    files: list[LabelledFile], validation_split: float, fold: int, seed: int, threshold_split: float
) -> list[LabelledFile]:
    """Gives every file of several labels a split: the data's own, or stratified folds.

    Of the training images a share is not learnt from, but chooses the thresholds.

    Args:
        files, validation_split, fold, seed: see `split_files`.
        threshold_split: float. The share.

    Raises:
        KerasuiteError: if there is no label, or a label is in the validation part only.
    """
    names = LabelledFiles(files, MULTILABEL).class_names
    if not names:
        raise KerasuiteError("no image has a label; give some a label")
    if any(file.split for file in files):
        files = _keep_own_split(files, MULTILABEL)
    else:
        count = _fold_count(validation_split, fold)
        parts = stratified_parts(_targets(files, names), [1 / count] * count, seed)
        files = [
            replace(file, split=VALIDATION if part == fold else TRAIN)
            for file, part in zip(files, parts, strict=True)
        ]
    trained = [index for index, file in enumerate(files) if file.split == TRAIN]
    targets = _targets([files[index] for index in trained], names)
    held_out = stratified_parts(targets, [1 - threshold_split, threshold_split], seed)
    for index, part in zip(trained, held_out, strict=True):
        if part:
            files[index] = replace(files[index], split=THRESHOLDS)
    for part in (TRAIN, THRESHOLDS, VALIDATION):
        if not any(file.split == part for file in files):
            raise KerasuiteError(
                f"{len(files)} images are too few for a part to train on, one that thresholds are "
                f"chosen on (--threshold-split) and one to validate; add some"
            )
    return files


def _targets(files: list[LabelledFile], names: list[str]) -> np.ndarray:
    return multi_hot([label_set(file.label) for file in files], names)


def not_validated(files: list[LabelledFile], kind: str = SINGLE) -> list[str]:
    """Classes without a validation image, which nothing is measured of; none before a split."""
    validated = [file for file in files if file.split == VALIDATION]
    measured = {label for file in validated for label in labels_of(file, kind)}
    named = {label for file in files for label in labels_of(file, kind)}
    return sorted(named - measured) if validated else []


def _check_classes(files: list[LabelledFile]) -> None:
    names, counts = np.unique([file.label for file in files], return_counts=True)
    if len(names) < 2:
        raise KerasuiteError(
            f"only one class, '{names[0]}', was found; a classifier needs at least two "
            f"(one folder per class)"
        )
    split_by_data = any(file.split for file in files)
    for name, count in zip(names, counts, strict=True):
        if count < 2 and not split_by_data:
            raise KerasuiteError(
                f"class '{name}' has 1 readable image and needs at least 2, one to train on "
                f"and one to validate; add images or remove the class"
            )


def _keep_own_split(files: list[LabelledFile], kind: str = SINGLE) -> list[LabelledFile]:
    kept = [replace(file, split=file.split or TRAIN) for file in files]
    trained = {label for file in kept if file.split == TRAIN for label in labels_of(file, kind)}
    for file in kept:
        if unknown := [label for label in labels_of(file, kind) if label not in trained]:
            raise KerasuiteError(
                f"class '{unknown[0]}' is in the validation data ({file.path}) but not in the "
                f"training data"
            )
    if not any(file.split == VALIDATION for file in kept):
        raise KerasuiteError("the data name a training part but no validation part")
    return kept

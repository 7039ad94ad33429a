"""Reads YOLO text files: a line `class cx cy w h` for each box, in parts of the image.

A line with more numbers is the outline of a polygon, `class x1 y1 x2 y2 ...`; its bounding box is
used. The labels of images/a/b.jpg are in labels/a/b.txt, or else beside it.
"""

import os
import re
from pathlib import Path

import yaml

from apps.vision.detection.annotations.image_boxes import (
    RawBox,
    RawData,
    RawImage,
    split_of_folders,
)
from apps.vision.detection.annotations.image_index import find_files
from shared.common.errors import KerasuiteError
from shared.common.splits import SPLIT_OF_NAME, TEST
from shared.image.reader import IMAGE_SUFFIXES

# Keys of a data.yaml to splits.
PARTS = {name: split for name, split in SPLIT_OF_NAME.items() if split != TEST}
NAME_FILES = ("classes.txt", "obj.names", "labels.txt")
NO_LABELS = {*NAME_FILES, "readme.txt", *(f"{name}.txt" for name in SPLIT_OF_NAME)}


def read_yolo(path) -> RawData:
    """Reads a data.yaml, or a folder with one, or a folder of images, text files and classes.txt.

    Raises:
        KerasuiteError: if there is nothing of the kind.
    """
    path = Path(path)
    raw = RawData()
    file = path if path.is_file() else find_yaml(path)
    if file is not None:
        content = load_yaml(file)
        raw.class_names = _names(file, content, raw)
        images = _images_of_yaml(file, content, raw)
    else:
        raw.class_names = _names_of_folder(path)
        images = _images_of_folder(path, raw)
    is_named = bool(raw.class_names)
    for image, split in images.items():
        labels = label_file(image)
        boxes = _read_labels(labels, is_named, raw) if os.path.isfile(labels) else []
        raw.images.append(RawImage(image, boxes, split, is_in_pixels=False))
    if not raw.images:
        reason = f" ({raw.problems[0]})" if raw.problems else ""
        raise KerasuiteError(f"{path}: no YOLO images and labels in it{reason}")
    if not is_named:
        raw.class_names = sorted({b.label for i in raw.images for b in i.boxes}, key=int)
        raw.problems.append(
            f"{path}: no classes.txt or data.yaml names the classes; they are named by number"
        )
    raw.problems += _labels_without_image(raw.images)
    return raw


def find_yaml(folder):
    """The YAML file of a folder that names classes, or None."""
    for file in sorted(Path(folder).glob("*.y*ml")):
        try:
            if "names" in load_yaml(file):
                return file
        except KerasuiteError:
            if file.stem == "data":
                raise
    return None


def load_yaml(file) -> dict:
    """Loads a YAML file with plain values only.

    Raises:
        KerasuiteError: if it is none.
    """
    try:
        content = yaml.safe_load(Path(file).read_bytes())
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise KerasuiteError(f"{file}: is no YAML of plain values ({first})") from None
    if not isinstance(content, dict):
        raise KerasuiteError(f"{file}: is no YAML mapping with the keys train, val and names")
    return content


def label_file(image: str) -> str:
    """Path of the labels of an image: the last folder `images` becomes `labels`."""
    stem = os.path.splitext(image)[0]
    folders = stem.split(os.sep)
    for position in range(len(folders) - 2, -1, -1):
        if folders[position] == "images":
            folders[position] = "labels"
            apart = os.sep.join(folders) + ".txt"
            return apart if os.path.isfile(apart) else stem + ".txt"
    beside = os.path.join(os.path.dirname(image), "labels", os.path.basename(stem) + ".txt")
    return beside if os.path.isfile(beside) else stem + ".txt"


def _names(file, content, raw):
    names = content.get("names")
    if isinstance(names, dict):
        try:
            by_number = {int(key): str(name) for key, name in names.items()}
        except (TypeError, ValueError):
            raise KerasuiteError(f"{file}: names: the keys must be class numbers") from None
        if sorted(by_number) != list(range(len(by_number))):
            raise KerasuiteError(f"{file}: names: the class numbers must be 0, 1, 2 and so on")
        names = [by_number[number] for number in range(len(by_number))]
    if not isinstance(names, list) or not names:
        raise KerasuiteError(f"{file}: names: expected a list of the class names")
    names = [str(name) for name in names]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise KerasuiteError(f"{file}: names: '{twice}' is there twice; rename one")
    if "nc" in content and content["nc"] != len(names):
        raw.problems.append(f"{file}: nc is {content['nc']}, but there are {len(names)} names")
    return names


def _names_of_folder(folder):
    candidates = [folder / name for name in NAME_FILES]
    candidates += sorted(path for name in NAME_FILES for path in folder.glob(f"*/{name}"))
    file = next((path for path in candidates if path.is_file()), None)
    if file is None:
        return []
    text = file.read_text(encoding="utf-8-sig", errors="replace")
    names = [line.strip() for line in text.rstrip().splitlines()]
    if "" in names or len(set(names)) < len(names):
        raise KerasuiteError(f"{file}: needs one class name a line, none empty, none twice")
    return names


def _images_of_yaml(file, content, raw):
    """Image to split of the parts that a data.yaml names, else of its folder."""
    images: dict[str, str] = {}
    root = Path(file).parent
    base = root / str(content.get("path") or "")
    bases = [base, root] if base.is_dir() else [root]
    parts = {key: content[key] for key in PARTS if content.get(key)}
    for key, entries in parts.items():
        for entry in entries if isinstance(entries, list) else [entries]:
            for image in _images_of_entry(file, key, str(entry), bases, raw):
                if images.setdefault(image, PARTS[key]) != PARTS[key]:
                    raw.problems.append(f"{image}: is in train and in val; it stays in train")
    if content.get("test"):
        raw.notes.append(f"{file}: the part test is not read")
    return images if parts else _images_of_folder(root, raw)


def _images_of_entry(file, key, entry, bases, raw):
    """The images of one folder or list of a data.yaml."""
    # Exporters write ../train/images and mean train/images.
    stripped = re.sub(r"^(\.\./)+", "", entry)
    for path in (base / name for name in (entry, stripped) for base in bases):
        if path.is_dir():
            return find_files(path, IMAGE_SUFFIXES)
        if path.is_file() and path.suffix == ".txt":
            return _listed_images(path, bases, raw)
        if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES:
            return [str(path)]
    raw.problems.append(f"{file}: {key}: no folder or list '{entry}'")
    return []


def _listed_images(file, bases, raw):
    found = []
    lines = file.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        if not (name := line.strip()):
            continue
        candidates = [base / name for base in (*bases, file.parent)]
        path = next((path for path in candidates if path.is_file()), None)
        if path is None:
            raw.problems.append(f"{file}, line {number}: no image '{name}'")
        else:
            found.append(os.path.normpath(path))
    return found


def _images_of_folder(folder, raw):
    """Image to split; folders where nothing is labelled are not part of the data."""
    images = find_files(folder, IMAGE_SUFFIXES)
    labelled = {os.path.dirname(image) for image in images if os.path.isfile(label_file(image))}
    found = {}
    for image in images:
        split = split_of_folders(image, folder)
        if os.path.dirname(image) in labelled and split != TEST:
            found[image] = split
    if any(split_of_folders(image, folder) == TEST for image in images):
        raw.notes.append(f"{folder}: the part test is not read; name its folder to read it")
    return found


def _read_labels(file, is_named, raw):
    boxes = []
    lines = Path(file).read_text(encoding="utf-8-sig", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{file}, line {number}"
        try:
            boxes.append(_box(line.split(), where, raw.class_names if is_named else None))
        except ValueError as error:
            raw.problems.append(f"{where}: {error}; it is left out")
    return boxes


def _box(words, where, names):
    try:
        index, *numbers = (float(word) for word in words)
    except ValueError:
        raise ValueError("a row with something that is no number") from None
    is_polygon = len(numbers) >= 6 and len(numbers) % 2 == 0
    if len(numbers) != 4 and not is_polygon:
        raise ValueError(f"a row with {len(words)} numbers; expected 5: class cx cy w h")
    if not index.is_integer() or index < 0:
        raise ValueError(f"class {words[0]} is no class number")
    if names is not None and index >= len(names):
        raise ValueError(
            f"class {index:g}, but there are {len(names)} names (0 to {len(names) - 1})"
        )
    if is_polygon:
        xs, ys = numbers[::2], numbers[1::2]
        corners = (min(xs), min(ys), max(xs), max(ys))
    else:
        x, y, width, height = numbers
        corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return RawBox(where, names[int(index)] if names else f"{index:g}", corners)


def _labels_without_image(images):
    """Label files in the folders of the label files that were read, but without image."""
    expected = {label_file(image.path) for image in images}
    folders = {os.path.dirname(file) for file in expected if os.path.isfile(file)}
    return [
        f"{file}: annotation without image"
        for folder in sorted(folders)
        for file in sorted(str(path) for path in Path(folder).glob("*.txt"))
        if file not in expected and os.path.basename(file).lower() not in NO_LABELS
    ]

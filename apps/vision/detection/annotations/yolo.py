"""Reads YOLO text files: a line `class cx cy w h` for each box, in parts of the image.

The image is meant as it is seen, turned by its EXIF orientation. A line with more numbers is the
outline of a polygon, `class x1 y1 x2 y2 ...`, whose bounding box is used; where the data.yaml
has a `kpt_shape`, it is a box with key points, which are left out. The labels of images/a/b.jpg
are in labels/a/b.txt, or else beside it.
"""

import os
import re
from pathlib import Path, PureWindowsPath

from apps.vision.detection.annotations.image_boxes import (
    RawBox,
    RawData,
    RawImage,
    split_of_folders,
)
from shared.common import yaml_files
from shared.common.errors import KerasuiteError
from shared.common.files import open_file
from shared.common.input_paths import files_below
from shared.common.names import usable_names
from shared.common.splits import SPLIT_OF_NAME, TEST, TRAIN
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
    points = 0
    if file is not None:
        content = load_yaml(file)
        raw.class_names = _names(file, content, raw)
        points = _numbers_of_key_points(file, content)
        images = _images_of_yaml(file, content, raw)
    else:
        raw.class_names = _names_of_folder(path)
        images = _images_of_folder(path, raw)
    is_named = bool(raw.class_names)
    labels = Labels(raw.class_names if is_named else None, points)
    for image, split in images.items():
        raw.images.append(labels.read(image, split, raw.problems))
    raw.notes += labels.notes(path)
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
    """Loads a YAML file; numbers, dates and truth values stay texts: `no` may be a class.

    Raises:
        KerasuiteError: if it is no mapping.
    """
    content = yaml_files.load_yaml(file, as_text=True)
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
            by_number = {int(key): name for key, name in names.items()}
        except (TypeError, ValueError):
            raise KerasuiteError(f"{file}: names: the keys must be class numbers") from None
        if sorted(by_number) != list(range(len(by_number))):
            raise KerasuiteError(f"{file}: names: the class numbers must be 0, 1, 2 and so on")
        names = [by_number[number] for number in range(len(by_number))]
    if not isinstance(names, list) or not names:
        raise KerasuiteError(f"{file}: names: expected a list of the class names")
    names = usable_names(names, f"{file}, names")
    if "nc" in content and content["nc"] != str(len(names)):
        raw.problems.append(f"{file}: nc is {content['nc']}, but there are {len(names)} names")
    return names


def _names_of_folder(folder):
    candidates = [folder / name for name in NAME_FILES]
    candidates += sorted(path for name in NAME_FILES for path in folder.glob(f"*/{name}"))
    file = next((path for path in candidates if path.is_file()), None)
    if file is None:
        return []
    return usable_names(_lines(file, strip=True), str(file))


def _lines(file, strip=False):
    """The lines of a text file; only a line feed, with or without carriage return, ends one."""
    with open_file(file) as opened:
        text = opened.read().decode("utf-8-sig", errors="replace")
    return (text.rstrip() if strip else text).replace("\r\n", "\n").split("\n")


def _numbers_of_key_points(file, content):
    """The numbers behind a box, from `kpt_shape: [points, 2 or 3]`; 0 without key points."""
    if "kpt_shape" not in content:
        return 0
    try:
        points, dimensions = (int(value) for value in content["kpt_shape"])
    except (TypeError, ValueError):
        raise KerasuiteError(f"{file}: kpt_shape: expected two numbers, as [17, 3]") from None
    return points * dimensions


def _images_of_yaml(file, content, raw):
    """Image to split of the parts that a data.yaml names, else of its folder."""
    images: dict[str, str] = {}
    root = Path(file).parent
    base = root / str(content.get("path") or "")
    bases = [base, root] if base.is_dir() else [root]
    parts = {key: content[key] for key in PARTS if content.get(key)}
    if len(set(map(str, parts.values()))) == 1 < len(parts):
        raw.notes.append(f"{file}: train and val are the same; --validation-split parts them")
        parts = {TRAIN: parts[next(iter(parts))]}
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
            return files_below(path, IMAGE_SUFFIXES)
        if path.is_file() and path.suffix == ".txt":
            return _listed_images(path, bases, raw)
        if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES:
            return [str(path)]
    raw.problems.append(f"{file}: {key}: no folder or list '{entry}'")
    return []


def _listed_images(file, bases, raw):
    found = []
    shortened = []
    for number, line in enumerate(_lines(file), start=1):
        if not (name := line.strip()):
            continue
        # Of another machine, or with a folder that the archive has not.
        parts = PureWindowsPath(name).parts
        names = [name, *("/".join(parts[start:]) for start in range(len(parts)))]
        candidates = [(base / name, name) for name in names for base in (*bases, file.parent)]
        path, used = next(((path, n) for path, n in candidates if path.is_file()), (None, ""))
        if path is None:
            raw.problems.append(f"{file}, line {number}: no image '{name}'")
            continue
        found.append(os.path.normpath(path))
        shortened += [(name, used)] if used.count("/") < name.replace("\\", "/").count("/") else []
    if shortened:
        name, used = shortened[0]
        raw.notes.append(
            f"{file}: {len(shortened)} image(s) are found without their first folders, "
            f"'{name}' as '{used}'"
        )
    return found


def _images_of_folder(folder, raw):
    """Image to split; folders where nothing is labelled are not part of the data."""
    images = files_below(folder, IMAGE_SUFFIXES)
    labelled = {os.path.dirname(image) for image in images if os.path.isfile(label_file(image))}
    found = {}
    for image in images:
        split = split_of_folders(image, folder)
        if os.path.dirname(image) in labelled and split != TEST:
            found[image] = split
    if any(split_of_folders(image, folder) == TEST for image in images):
        raw.notes.append(f"{folder}: the part test is not read; name its folder to read it")
    return found


class Labels:
    """Reads label files and counts what is used of them in part.

    Args:
        names: the class names by number; None names classes by their numbers.
        points: int. Numbers of the key points behind each box, 0 without.
    """

    def __init__(self, names, points):
        self.names = names
        self.points = points
        self.outlines = 0
        self.boxes_with_points = 0

    def read(self, image, split, problems) -> RawImage:
        """The boxes of an image; no file means no object."""
        file = label_file(image)
        result = RawImage(image, [], split, is_in_pixels=False)
        if not os.path.lexists(file):
            return result
        try:
            lines = _lines(file)
        except OSError as error:
            problems.append(f"{file}: {(error.strerror or str(error)).lower()}")
            result.unread_boxes += 1
            return result
        for number, line in enumerate(lines, start=1):
            where = f"{file}, line {number}"
            try:
                if line.strip():
                    result.boxes.append(self._box(line.split(), where))
            except ValueError as error:
                problems.append(f"{where}: {error}; it is left out")
                result.unread_boxes += 1
        return result

    def notes(self, path):
        """A line for each kind of row that is not used whole."""
        lines = []
        if self.outlines:
            lines.append(f"{path}: {self.outlines} outline(s) are read as their bounding boxes")
        if self.boxes_with_points:
            count = self.boxes_with_points
            lines.append(f"{path}: the key points of {count} box(es) are left out (kpt_shape)")
        return lines

    def _box(self, words, where):
        try:
            index, *numbers = (float(word) for word in words)
        except ValueError:
            raise ValueError("a row with something that is no number") from None
        has_points = self.points and len(numbers) == 4 + self.points
        is_outline = not self.points and len(numbers) >= 6 and len(numbers) % 2 == 0
        if len(numbers) != 4 and not is_outline and not has_points:
            more = f", or {5 + self.points} with key points" if self.points else ""
            raise ValueError(f"a row with {len(words)} numbers; expected 5: class cx cy w h{more}")
        self.outlines += is_outline
        self.boxes_with_points += bool(has_points)
        corners = _outline_corners(numbers) if is_outline else _box_corners(*numbers[:4])
        return RawBox(where, self._name(index, words[0]), corners)

    def _name(self, index, word):
        if not index.is_integer() or index < 0:
            raise ValueError(f"class {word} is no class number")
        if self.names is None:
            return f"{index:g}"
        if index >= len(self.names):
            last = len(self.names) - 1
            raise ValueError(f"class {index:g}, but there are {last + 1} names (0 to {last})")
        return self.names[int(index)]


def _box_corners(x, y, width, height):
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _outline_corners(numbers):
    xs, ys = numbers[::2], numbers[1::2]
    return min(xs), min(ys), max(xs), max(ys)


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

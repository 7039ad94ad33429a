"""Reads COCO JSON: images, categories, and boxes as x, y, width, height in pixels from 0.

Category ids are names, not positions: they may have gaps, start anywhere and be 0. An image is
looked for beside its file and else by its name, always inside the folder of the data. The images
of a file are put in the order of their ids, as pycocotools does: it decides between equal scores.

Reference: [Lin et al., 2014](https://arxiv.org/abs/1405.0312), cocodataset.org/#format-data
"""

import json
import math
import os
from pathlib import Path

from apps.vision.detection.annotations.image_boxes import (
    RawBox,
    RawData,
    RawImage,
    split_of_folders,
    split_of_name,
)
from apps.vision.detection.annotations.image_index import AmbiguousName, ImageIndex
from shared.common.errors import KerasuiteError
from shared.common.files import open_file
from shared.common.input_paths import files_below
from shared.common.names import usable_name
from shared.common.splits import TEST

KEYS = ("images", "annotations", "categories")


def read_coco(path) -> RawData:
    """Reads one JSON file, or all of a folder that are COCO detection files.

    The split is what a file's name or folder says: instances_val2017.json, train.json,
    train/_annotations.coco.json. Files of a test part are read only when named themselves.
    Where a folder has `instances_*.json`, its others (captions, keypoints) are not read.

    Raises:
        KerasuiteError: if there is no such file.
    """
    path = Path(path)
    raw = RawData()
    if path.is_file():
        content, reason = load_coco(path)
        if reason:
            raise KerasuiteError(f"{path}: {reason}")
        root = path.parent.parent if path.parent.name == "annotations" else path.parent
        _read_content(path, content, _split(path, root), ImageIndex(root), raw)
        return raw
    files = _instances_only(files_below(path, (".json",)))
    index = ImageIndex(path)
    read = 0
    for file in files:
        content, reason = load_coco(file)
        if reason:
            raw.problems.append(f"{file}: {reason}; it is not read")
            continue
        split = _split(file, path)
        if split == TEST and len(files) > 1:
            raw.notes.append(f"{file}: is a test part; name it to read it")
            continue
        _read_content(file, content, split, index, raw)
        read += 1
    if not read:
        reason = f" ({raw.problems[0]})" if raw.problems else ""
        raise KerasuiteError(f"{path}: no COCO annotations (*.json) in it{reason}")
    return raw


def load_coco(file):
    """Loads a COCO file.

    Returns:
        (content, ""), or (None, the problem).
    """
    try:
        with open_file(file) as opened:
            content = json.loads(opened.read())
    except OSError as error:
        return None, (error.strerror or str(error)).lower()
    except (ValueError, RecursionError) as error:
        return None, f"is no JSON ({error})"
    if not isinstance(content, dict):
        return None, "is no COCO file (its outermost value is no object)"
    missing = [key for key in KEYS if not isinstance(content.get(key), list)]
    if missing:
        return None, f"is no COCO detection file (no list '{missing[0]}')"
    return content, ""


def _instances_only(files):
    folders = {os.path.dirname(file) for file in files if _is_instances(file)}
    return [file for file in files if os.path.dirname(file) not in folders or _is_instances(file)]


def _is_instances(file):
    return os.path.basename(file).startswith("instances")


def _split(file, root):
    return split_of_name(Path(file).stem) or split_of_folders(str(file), root)


def _read_content(file, content, split, index, raw):
    names = _categories(file, content["categories"], raw)
    images = _images(file, content["images"], "" if split == TEST else split, index, raw)
    for number, row in enumerate(content["annotations"]):
        where = f"{file}, annotations[{number}]"
        image = images.get(_as_key(row.get("image_id"))) if isinstance(row, dict) else None
        try:
            box = _box(row, where, names, images)
        except ValueError as error:
            raw.problems.append(f"{where}: {error}; it is left out")
            if image is not None:
                image.unread_boxes += 1
            continue
        if image is not None:
            image.boxes.append(box)
    raw.images += [image for image in images.values() if image is not None]


def _categories(file, rows, raw):
    """Id to name."""
    names = {}
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or _as_key(row.get("id")) is None or not row.get("name"):
            raw.problems.append(f"{file}, categories[{number}]: needs an id and a name")
            continue
        key = _as_key(row["id"])
        name = usable_name(row["name"], f"{file}, categories[{number}]")
        if key in names or name in names.values():
            raw.problems.append(f"{file}, categories[{number}]: '{name}' (id {key}) is there twice")
        names.setdefault(key, name)
        if names[key] not in raw.class_names:
            raw.class_names.append(names[key])
    return names


def _images(file, rows, split, index, raw):
    """Id to image, in the order of the ids; None for one whose file is missing."""
    images, ids = {}, {}
    for number, row in enumerate(rows):
        where = f"{file}, images[{number}]"
        name = row.get("file_name") if isinstance(row, dict) else None
        key = _as_key(row.get("id")) if isinstance(row, dict) else None
        if key is None or not isinstance(name, str) or not name:
            raw.problems.append(f"{where}: needs an id and a file_name")
            continue
        if key in images:
            raw.problems.append(f"{where}: the id {key} is there twice; the first is used")
            continue
        images[key], ids[key] = None, row["id"]
        try:
            path = _find_image(file, name, split, index)
        except ValueError as error:
            raw.problems.append(f"{where}: {error}; it is left out")
            continue
        images[key] = RawImage(path, [], split, _size(row))
    _report_other_parts(file, images.values(), split, index, raw)
    # Numbers by their value, texts by their letters.
    order = sorted(images, key=lambda key: (isinstance(ids[key], str), ids[key]))
    return {key: images[key] for key in order}


def _report_other_parts(file, images, split, index, raw):
    """Says that images of this part lie in folders that are named after another one."""
    paths = [image.path for image in images if image is not None]
    others = [path for path in paths if _is_of_other_part(path, split, index)]
    if others:
        raw.notes.append(
            f"{file}: {len(others)} image(s) of its {split} part are in folders of another part, "
            f"as {others[0]}"
        )


def _find_image(file, name, split, index):
    """The image of a row: beside the file, or else the best one of its name.

    Raises:
        ValueError: if there is none inside the folder of the data, or several fit alike.
    """
    beside = os.path.normpath(os.path.join(os.path.dirname(file), name))
    if _is_below(beside, index.root) and os.path.isfile(beside):
        return beside
    # train.json or instances_train2017.json means the picture in train/ or train2017/.
    folder = os.path.join(os.path.dirname(file), Path(file).stem.removeprefix("instances_"))
    try:
        path = index.by_name(name, folder, split)
    except AmbiguousName as error:
        raise ValueError(f"the image '{name}' {error}") from None
    if path is None:
        raise ValueError(f"no image '{name}' below {index.root}, the folder of the data")
    if _is_of_other_part(path, split, index) and index.has_split(split):
        raise ValueError(f"no image '{name}' in the {split} part; {path} is of the other part")
    return path


def _is_of_other_part(path, split, index):
    splits = index.splits_of(path)
    return bool(split and splits) and split not in splits


def _is_below(path, root):
    """Judged on the paths as written: links may lead out of the data, names may not."""
    return os.path.abspath(path).startswith(os.path.join(os.path.abspath(root), ""))


def _as_key(value):
    """An id as dictionary key; some programs write numbers as text."""
    if isinstance(value, str):
        return value.strip() or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _size(row):
    size = (row.get("width"), row.get("height"))
    return size if all(isinstance(value, int) for value in size) else None


def _box(row, where, names, images):
    if not isinstance(row, dict):
        raise ValueError("is no object")
    image_id, category_id = _as_key(row.get("image_id")), _as_key(row.get("category_id"))
    if image_id not in images:
        raise ValueError(f"image_id {row.get('image_id')} is not among the images")
    if category_id not in names:
        raise ValueError(f"category_id {row.get('category_id')} is not among the categories")
    try:
        x, y, width, height = (float(value) for value in row["bbox"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise ValueError(f"bbox is not four numbers ({row.get('bbox')})") from None
    corners = (x, y, x + width, y + height)
    is_crowd, area = row.get("iscrowd") == 1, _area(row.get("area"))
    return RawBox(where, names[category_id], corners, is_crowd, area)


def _area(value):
    """The area of an object; 0, as if it were not there, where it is no positive number."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and 0 < value < math.inf else 0.0

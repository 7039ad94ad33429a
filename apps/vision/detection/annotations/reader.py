"""Reads detection data of any of the three formats, which it recognises by itself."""

import os
from pathlib import Path

from apps.vision.detection.annotations.assemble import assemble
from apps.vision.detection.annotations.coco import load_coco, read_coco
from apps.vision.detection.annotations.image_boxes import DetectionData, RawData
from apps.vision.detection.annotations.voc import read_voc
from apps.vision.detection.annotations.yolo import find_yaml, label_file, read_yolo
from shared.common.errors import KerasuiteError
from shared.common.input_paths import files_below
from shared.image.reader import DEFAULT_MAX_PIXELS, IMAGE_SUFFIXES
from shared.image.remarks import unread_pictures

READERS = {"voc": read_voc, "coco": read_coco, "yolo": read_yolo}
FILES = {".json": "coco", ".yaml": "yolo", ".yml": "yolo"}


def read_annotations(
    paths: list[str] | tuple[str, ...], format: str = "", max_pixels: int = DEFAULT_MAX_PIXELS
) -> DetectionData:
    """Reads the images and boxes of folders, COCO files and YOLO's data.yaml.

    Args:
        paths: folders and files, also of different formats.
        format: "voc", "coco" or "yolo"; recognised for each path if empty.
        max_pixels: larger images are left out.

    Returns:
        DetectionData; its `problems` list single files and rows that cannot be used.

    Raises:
        KerasuiteError: if a path is missing, is of no known format, or no box is left.
    """
    merged = RawData()
    for text in paths:
        path = Path(os.path.expanduser(text))
        if not path.exists():
            raise KerasuiteError(f"{path}: no such file or folder")
        name, note = (format, "") if format else recognise(path)
        if name not in READERS:
            raise KerasuiteError(f"--annotations {name}: expected voc, coco or yolo")
        if name == "voc" and not path.is_dir():
            raise KerasuiteError(f"{path}: VOC annotations are a folder; name the folder")
        raw = READERS[name](path)
        merged.class_names += [c for c in raw.class_names if c not in merged.class_names]
        merged.images += raw.images
        merged.problems += raw.problems
        merged.notes += [note] * bool(note) + raw.notes
    merged.remarks += unread_pictures(os.path.expanduser(path) for path in paths)
    return assemble(merged, " ".join(str(path) for path in paths), max_pixels)


def recognise(path: Path) -> tuple[str, str]:
    """Finds out the format.

    Returns:
        (name of the format, a note where the folder holds another one too, or "").

    Raises:
        KerasuiteError: if it is none.
    """
    if path.is_file():
        if path.suffix.lower() not in FILES:
            raise KerasuiteError(
                f"{path}: expected a folder, a COCO file (.json) or YOLO's data.yaml"
            )
        return FILES[path.suffix.lower()], ""
    tests = {"coco": _has_coco, "voc": _has_voc, "yolo": _has_yolo}
    # A data.yaml is written for one purpose only.
    order = ("yolo", "coco", "voc") if find_yaml(path) else ("coco", "voc", "yolo")
    found = [name for name in order if tests[name](path)]
    if not found:
        raise KerasuiteError(
            f"{path}: no annotations found; expected VOC (*.xml), COCO (*.json) or YOLO "
            f"(data.yaml, or *.txt beside the images) files"
        )
    others = " and ".join(name.upper() for name in found[1:])
    note = f"{path}: read as {found[0].upper()}; has {others} annotations too (--annotations)"
    return found[0], note if others else ""


def _has_coco(path):
    return any(not load_coco(file)[1] for file in files_below(path, (".json",)))


def _has_voc(path):
    return bool(files_below(path, (".xml",)))


def _has_yolo(path):
    if find_yaml(path):
        return True
    return any(os.path.isfile(label_file(image)) for image in files_below(path, IMAGE_SUFFIXES))

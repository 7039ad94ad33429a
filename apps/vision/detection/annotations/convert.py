"""`kerasuite detect convert`: writes detection data as VOC, COCO or YOLO.

Boxes are written as `annotations.orientation` reads them, YOLO's for the picture as it is seen,
others for the stored pixels: an image with an EXIF orientation keeps it.
"""

import contextlib
import os
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import yaml

from apps.vision.detection.annotations.image_boxes import DetectionData, ImageBoxes
from apps.vision.detection.annotations.orientation import read_orientation, to_stored
from shared.common.errors import KerasuiteError
from shared.common.files import atomic_folder, write_json, write_text
from shared.common.splits import TRAIN, TRAIN_NAMES, VALIDATION, VALIDATION_NAMES

PARTS = {TRAIN: TRAIN_NAMES[0], VALIDATION: VALIDATION_NAMES[0]}


def convert(data: DetectionData, folder, format: str, hard_link: bool = False) -> list[str]:
    """Writes images and annotations into a new folder.

    Images get flat names, unique without their suffix. VOC and YOLO know no crowd regions: they
    are left out there, as COCO's own conversions do.

    Args:
        data: images and boxes.
        folder: a new or empty folder.
        format: "voc", "coco" or "yolo".
        hard_link: whether images share their storage with the originals instead of being
            copied; across file systems they are copied all the same.

    Returns:
        Lines that say what was written and what could not be.

    Raises:
        KerasuiteError: if the folder holds something or the format is unknown.
    """
    if format not in WRITERS:
        raise KerasuiteError(f"--format {format}: expected voc, coco or yolo")
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise KerasuiteError(f"{folder}: is not empty; choose a new folder")
    if folder.exists():
        folder.rmdir()
    images = _with_splits(data.images)
    if format != "yolo":
        images = [_stored(image) for image in images]
    names = unique_names([image.path for image in images])
    crowd = 0
    if format != "coco":
        crowd = int(sum(image.crowd.sum() for image in images))
        images = [_without_crowd(image) for image in images]
    with atomic_folder(folder) as temporary:
        paths = WRITERS[format](temporary, images, names, data.class_names)
        for image, path in zip(images, paths, strict=True):
            _copy_or_link(image.path, path, hard_link)
    boxes = sum(len(image.boxes) for image in images)
    lines = [f"{len(images)} images with {boxes} boxes in {folder}, as {format.upper()}"]
    if crowd:
        lines.append(f"{crowd} crowd region(s) left out: {format.upper()} knows none")
    return lines


def _with_splits(images) -> list[ImageBoxes]:
    """If one has a split, all have."""
    if not any(image.split for image in images):
        return images
    return [replace(image, split=image.split or TRAIN) for image in images]


def _stored(image) -> ImageBoxes:
    """The image with size and boxes of the stored pixels."""
    orientation = read_orientation(image.path, image.is_direct)
    size = (image.width, image.height)
    width, height = size[::-1] if orientation >= 5 else size
    boxes = to_stored(image.boxes.astype(np.float64), orientation)
    return replace(image, width=width, height=height, boxes=boxes)


def _without_crowd(image):
    keep = ~image.crowd
    areas = None if image.areas is None else image.areas[keep]
    return replace(
        image,
        boxes=image.boxes[keep],
        labels=image.labels[keep],
        crowd=image.crowd[keep],
        areas=areas,
    )


def unique_names(paths: list[str]) -> list[str]:
    """A flat file name for each path: its own where that is unique, else with its folders."""
    # Annotation files go by the name without suffix; some file systems ignore case.
    stems = Counter(_key(os.path.basename(path)) for path in paths)
    root = os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in paths])
    taken: set[str] = set()
    names = []
    for path in paths:
        name = os.path.basename(path)
        if stems[_key(name)] > 1:
            name = os.path.relpath(os.path.abspath(path), root).replace(os.sep, "-")
        name = name.encode("utf-8", "replace").decode()
        stem, suffix = os.path.splitext(name)
        number = 2
        while _key(name) in taken:
            name = f"{stem}-{number}{suffix}"
            number += 1
        taken.add(_key(name))
        names.append(name)
    return names


def _key(name):
    return os.path.splitext(name)[0].lower()


def _copy_or_link(source, target, hard_link):
    target.parent.mkdir(parents=True, exist_ok=True)
    if hard_link:
        with contextlib.suppress(OSError):
            os.link(os.path.realpath(source), target)
            return
    shutil.copyfile(source, target)


def _write_voc(folder, images, names, class_names):
    for image, name in zip(images, names, strict=True):
        root = _voc_xml(image, name, class_names)
        ElementTree.indent(root)
        text = ElementTree.tostring(root, encoding="unicode") + "\n"
        write_text(folder / "Annotations" / f"{os.path.splitext(name)[0]}.xml", text)
    for split, part in PARTS.items():
        stems = [
            os.path.splitext(name)[0]
            for image, name in zip(images, names, strict=True)
            if image.split == split
        ]
        if any(image.split for image in images):
            text = "".join(f"{stem}\n" for stem in stems)
            write_text(folder / "ImageSets" / "Main" / f"{part}.txt", text)
    return [folder / "JPEGImages" / name for name in names]


def _voc_xml(image, name, class_names):
    root = ElementTree.Element("annotation")
    _add(root, folder="JPEGImages", filename=name)
    _add(ElementTree.SubElement(root, "size"), width=image.width, height=image.height, depth=3)
    for box, label in zip(image.boxes, image.labels, strict=True):
        element = ElementTree.SubElement(root, "object")
        _add(element, name=class_names[label], pose="Unspecified", truncated=0, difficult=0)
        left, top, right, bottom = box * [image.width, image.height, image.width, image.height]
        _add(
            ElementTree.SubElement(element, "bndbox"),
            xmin=_number(left + 1),
            ymin=_number(top + 1),
            # A box of one pixel would have equal corners, which readers take for none.
            xmax=_number(max(right, left + 1.01)),
            ymax=_number(max(bottom, top + 1.01)),
        )
    return root


def _add(element, **values):
    for key, value in values.items():
        ElementTree.SubElement(element, key).text = str(value)


def _number(value, digits=2):
    """Whole where it was whole: simple readers expect that."""
    return f"{value:.{digits}f}".rstrip("0").rstrip(".")


def _write_coco(folder, images, names, class_names):
    for split, part in {"": "", **PARTS}.items():
        chosen = [(i, n) for i, n in zip(images, names, strict=True) if i.split == split]
        if chosen:
            file = f"instances_{part}.json" if part else "instances.json"
            write_json(folder / "annotations" / file, _coco_content(chosen, class_names))
    return [folder / "images" / name for name in names]


def _coco_content(chosen, class_names):
    content = {"images": [], "annotations": [], "categories": []}
    for number, name in enumerate(class_names, start=1):
        content["categories"].append({"id": number, "name": name, "supercategory": ""})
    for number, (image, name) in enumerate(chosen, start=1):
        row = {"id": number, "file_name": name, "width": image.width, "height": image.height}
        content["images"].append(row)
        corners = image.boxes * [image.width, image.height, image.width, image.height]
        stated = np.zeros(len(corners)) if image.areas is None else image.areas
        rows = zip(corners, image.labels, image.crowd, stated, strict=True)
        for box, label, crowd, area in rows:
            width, height = box[2:] - box[:2]
            content["annotations"].append(
                {
                    "id": len(content["annotations"]) + 1,
                    "image_id": number,
                    "category_id": int(label) + 1,
                    "bbox": [round(float(value), 3) for value in (*box[:2], width, height)],
                    "area": round(float(area or width * height), 3),
                    "iscrowd": int(crowd),
                    "segmentation": [],
                }
            )
    return content


def _write_yolo(folder, images, names, class_names):
    paths = []
    for image, name in zip(images, names, strict=True):
        part = PARTS.get(image.split, "")
        boxes = image.boxes.astype(np.float64)
        centres, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
        rows = zip(image.labels, np.concatenate([centres, sides], axis=1), strict=True)
        text = "".join(f"{label} {' '.join(_part(v) for v in row)}\n" for label, row in rows)
        write_text(folder / "labels" / part / f"{os.path.splitext(name)[0]}.txt", text)
        paths.append(folder / "images" / part / name)
    is_split = any(image.split for image in images)
    folders = {part: f"images/{part}" for part in PARTS.values()}
    folders = folders if is_split else {PARTS[TRAIN]: "images"}
    for path in folders.values():
        (folder / path).mkdir(parents=True, exist_ok=True)
    content = {**folders, "names": dict(enumerate(class_names))}
    text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
    write_text(folder / "data.yaml", text)
    return paths


def _part(value):
    return f"{value:.7f}".rstrip("0").rstrip(".")


WRITERS = {"voc": _write_voc, "coco": _write_coco, "yolo": _write_yolo}

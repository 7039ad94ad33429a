"""Reads Pascal VOC: an XML file for each image, optionally lists of the train and val images.

The corners are pixels that count from 1 and belong to the box: pixel 1 to pixel 10 is ten wide,
so the left edge is xmin - 1 and the right edge xmax. Boxes marked `difficult` are kept.

Reference: Everingham et al., The Pascal Visual Object Classes Challenge, development kit
"""

import os
import re
from pathlib import Path
from xml.etree import ElementTree

from apps.vision.detection.annotations.image_boxes import (
    NoObject,
    RawBox,
    RawData,
    RawImage,
    split_of_folders,
)
from apps.vision.detection.annotations.image_index import AmbiguousName, ImageIndex
from shared.common.errors import KerasuiteError
from shared.common.files import open_file
from shared.common.input_paths import files_below
from shared.common.names import usable_name
from shared.common.splits import TRAIN, TRAIN_NAMES, VALIDATION, VALIDATION_NAMES

LISTS = {TRAIN_NAMES[0]: TRAIN, VALIDATION_NAMES[0]: VALIDATION}
CORNERS = ("xmin", "ymin", "xmax", "ymax")


def read_voc(folder) -> RawData:
    """Reads all VOC annotations below a folder.

    Layouts: JPEGImages/ Annotations/ ImageSets/Main/, one or many such folders; images and XML
    files in folders of any name, also `train` and `val`; both in one folder.

    Raises:
        KerasuiteError: if there is no XML file.
    """
    folder = Path(folder)
    raw = RawData()
    lists = (Path(file).parent for file in files_below(folder, (".txt",)))
    bases = {path.parent.parent for path in lists if path.parts[-2:] == ("ImageSets", "Main")}
    for base in sorted(bases) or [folder]:
        _read_base(base, raw)
    raw.class_names = sorted({box.label for image in raw.images for box in image.boxes})
    return raw


def _read_base(base, raw):
    files = files_below(base, (".xml",))
    if not files:
        raise KerasuiteError(f"{base}: no VOC annotations (*.xml) in it")
    index = ImageIndex(base)
    found: dict[str, RawImage] = {}
    for file in files:
        image = _read_file(file, index, raw.problems)
        if image is None:
            continue
        if first := found.get(image.path):
            raw.notes.append(f"{file}: {image.path} is annotated twice; its boxes are joined")
            first.boxes += image.boxes
            first.unread_boxes += image.unread_boxes
            continue
        found[image.path] = image
    images = _with_background(found, index)
    raw.images += _split(images, base, index, raw)


def _with_background(found, index):
    """The images of the folders that hold annotated ones; those without XML are background."""
    folders = {os.path.dirname(path) for path in found}
    return [
        found.get(path) or RawImage(path, [])
        for path in index.paths
        if os.path.dirname(path) in folders
    ]


def _read_file(file, index, problems):
    """The image of one XML file, or None and a problem."""
    root, reason = _load(file)
    name = "" if root is None else (root.findtext("filename") or "").strip()
    try:
        path = _find_image(file, name, index)
    except AmbiguousName as error:
        problems.append(f"{file}: its image {error}; it is left out")
        return None
    if reason:
        problems.append(f"{file}: {reason}")
        return path and RawImage(path, [], unread_boxes=1)
    if path is None:
        problems.append(f"{file}: annotation without image ({name or Path(file).stem + '.*'})")
        return None
    image = RawImage(path, [], size=_size(root))
    for number, element in enumerate(root.iter("object"), start=1):
        where = f"{file}, object {number}"
        try:
            image.boxes.append(_box(element, where))
        except NoObject as error:
            problems.append(f"{where}: {error}; it is left out")
        except ValueError as error:
            problems.append(f"{where}: {error}; it is left out")
            image.unread_boxes += 1
    return image


def _load(file):
    """(the root element or None, the reason or "")."""
    try:
        with open_file(file) as opened:
            root = parse_xml(opened.read())
    except OSError as error:
        return None, (error.strerror or str(error)).lower()
    except ValueError as error:
        return None, str(error)
    if root.tag != "annotation":
        return None, f"is no VOC annotation (its root is <{root.tag}>)"
    return root, ""


def _find_image(file, name, index):
    split = split_of_folders(file, index.root)
    return (
        index.by_stem(Path(file).stem, file, split)
        or (name and index.by_name(name, os.path.dirname(file), split))
        or (name and index.by_stem(name, file, split))
        or None
    )


def parse_xml(content: bytes):
    """Parses XML from strangers: nothing is expanded and nothing is loaded.

    Returns:
        The root element; tags are in lower case and without name spaces.

    Raises:
        ValueError: if it is no XML or has a document type (where entities are declared).
    """
    # Without zeros UTF-16 looks like ASCII.
    if b"<!doctype" in content.replace(b"\0", b"").lower():
        raise ValueError("has a document type (<!DOCTYPE), which is refused; remove it")
    try:
        root = ElementTree.fromstring(_decoded(content))
    except (ElementTree.ParseError, LookupError, ValueError, RecursionError) as error:
        raise ValueError(f"is no XML ({error})") from None
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = element.tag.rpartition("}")[2].lower()
    return root


def _decoded(content):
    """Text in place of an encoding that the parser does not know, as of Chinese programs."""
    stated = re.match(rb"\s*<\?xml[^>]*encoding=[\"']([\w.-]+)", content)
    if stated and stated[1].lower().startswith((b"gb", b"big5", b"shift", b"euc")):
        return content.decode(stated[1].decode())
    return content


def _size(root):
    try:
        return tuple(int(float(root.findtext(f"size/{key}") or 0)) for key in ("width", "height"))
    except (ValueError, OverflowError):
        return None


def _box(element, where):
    if not (element.findtext("name") or "").strip():
        raise ValueError("a box without class name")
    label = usable_name(element.findtext("name"), where)
    texts = [(element.findtext(f"bndbox/{key}") or "").strip() for key in CORNERS]
    try:
        left, top, right, bottom = (float(text) for text in texts)
    except ValueError:
        stated = " ".join(text or "?" for text in texts)
        raise ValueError(f"a box without four numbers xmin ymin xmax ymax ({stated})") from None
    # By the letter one pixel wide; in real files a click that became no box.
    if right <= left or bottom <= top:
        shown = f"{left:g} {top:g} {right:g} {bottom:g}"
        kind = ValueError if right < left and bottom < top else NoObject  # corners swapped
        raise kind(f"a box of no or negative size (corners {shown})")
    return RawBox(where, label, (left - 1, top - 1, right, bottom))


def _split(images, base, index, raw):
    """Gives every image the split of the lists, or else of its folder."""
    listed = _read_lists(base, index, raw.problems)
    if not listed:
        for image in images:
            image.split = split_of_folders(image.path, base)
        return images
    kept = [image for image in images if image.path in listed]
    known = {image.path for image in kept}
    # A listed image may lie where nothing is annotated.
    kept += [RawImage(path, []) for path in sorted(set(listed) - known)]
    for image in kept:
        image.split = listed[image.path]
    if left_out := len(images) + len(listed.keys() - known) - len(kept):
        raw.notes.append(
            f"{base / 'ImageSets' / 'Main'}: {left_out} image(s) are in neither train.txt nor "
            f"val.txt; they are left out"
        )
    return kept


def _read_lists(base, index, problems):
    """Path to split of the images in ImageSets/Main/train.txt and val.txt."""
    listed: dict[str, str] = {}
    for name, split in LISTS.items():
        file = base / "ImageSets" / "Main" / f"{name}.txt"
        if not file.is_file():
            continue
        lines = file.read_text(encoding="utf-8-sig", errors="replace").splitlines()
        for number, stem in enumerate(lines, start=1):
            stem = stem.strip()
            try:
                path = index.by_stem(stem) or index.by_name(stem) if stem else None
            except AmbiguousName as error:
                problems.append(f"{file}, line {number}: the image '{stem}' {error}")
                continue
            if stem and path is None:
                problems.append(f"{file}, line {number}: no image '{stem}'")
            elif path and listed.setdefault(path, split) != split:
                problems.append(
                    f"{file}, line {number}: '{stem}' is in train.txt too; it stays there"
                )
    return listed

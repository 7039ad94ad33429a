"""From boxes as annotation files have them to boxes that can be trusted.

Every image is opened once; every box is checked, clipped, normalised and turned upright.
Whatever cannot be used becomes a line in `problems`; the rest goes on.
"""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from apps.vision.detection.annotations.image_boxes import (
    DetectionData,
    ImageBoxes,
    RawData,
    RawImage,
)
from apps.vision.detection.annotations.orientation import read_orientation, to_upright
from shared.common.errors import KerasuiteError
from shared.image.exif import UPRIGHT
from shared.image.reader import DEFAULT_MAX_PIXELS, ImageHeader, UnreadableImage, load_image
from shared.image.remarks import changed_pixels

# Corners that are rounded or count from the other end of the pixel are nobody's fault.
TOLERANCE_PIXELS = 1.0


class ImageFacts(NamedTuple):
    """Facts about the file of an image; `reason` says why it cannot be used, or is empty."""

    header: ImageHeader | None
    orientation: int
    digest: bytes
    reason: str


def assemble(raw: RawData, name: str, max_pixels: int = DEFAULT_MAX_PIXELS) -> DetectionData:
    """Checks the findings of a reader and brings them to one form.

    Args:
        raw: the findings.
        name: name of the data in an error.
        max_pixels: larger images are left out.

    Raises:
        KerasuiteError: if no image with a box is left.
    """
    data = DetectionData(list(raw.class_names), [], list(raw.problems), list(raw.notes))
    data.remarks += raw.remarks
    labels = {label: index for index, label in enumerate(raw.class_names)}
    unique = _joined(raw.images, data)
    contents: dict[bytes, str] = {}
    headers, turned, passes_for_background = [], 0, []
    for image, facts in zip(unique, _look_at([i.path for i in unique], max_pixels), strict=True):
        if facts.reason:
            lost = f"; its {len(image.boxes)} box(es) are left out" if image.boxes else ""
            data.problems.append(f"{image.path}: {facts.reason}{lost}")
            continue
        first = contents.setdefault(facts.digest, image.path)
        if first != image.path:
            data.problems.append(f"{image.path}: has the same content as {first}")
        finished = _finish(image, facts, labels, data.problems)
        if not len(finished.boxes) and (image.boxes or image.unread_boxes):
            passes_for_background.append(image.path)
            continue
        data.images.append(finished)
        headers.append(facts.header)
        turned += facts.orientation != UPRIGHT
    data.notes += _unusable(passes_for_background)
    data.remarks += changed_pixels(headers) + _turned(turned)
    if not any(len(image.boxes) for image in data.images):
        raise KerasuiteError(f"{name}: no usable box{_first_of(data.problems)}")
    return data


def _first_of(problems):
    if not problems:
        return "; is it the right folder?"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"; the first problem: {problems[0]}{more}"


def _unusable(paths):
    """A line about images whose objects are all lost, which would teach them as background."""
    if not paths:
        return []
    others = " and others" if len(paths) > 1 else ""
    return [
        f"{len(paths)} image(s) are left out, as no object in their annotations can be used: "
        f"{paths[0]}{others}"
    ]


def _turned(count):
    if not count:
        return []
    return [
        f"{count} image(s) are turned upright by their EXIF orientation; boxes of YOLO are taken "
        f"as they are seen, others by the size that they state, else as they are stored"
    ]


def _joined(images: list[RawImage], data: DetectionData) -> list[RawImage]:
    """Each image once: of several annotators in one part it has the boxes of all."""
    by_path: dict[str, RawImage] = {}
    for image in images:
        first = by_path.setdefault(os.path.realpath(image.path), image)
        if first is image:
            continue
        if first.split != image.split:
            data.problems.append(
                f"{image.path}: is annotated twice ({first.split or 'no part'} and "
                f"{image.split or 'no part'}); the first is used, "
                f"{len(image.boxes)} box(es) of the second are left out"
            )
            continue
        first.boxes = first.boxes + image.boxes
        first.unread_boxes += image.unread_boxes
        data.notes.append(f"{image.path}: is listed twice; its boxes are joined")
    return list(by_path.values())


def _look_at(paths, max_pixels):
    with ThreadPoolExecutor(8) as pool:
        yield from pool.map(lambda path: _facts(path, max_pixels), paths)


def _facts(path, max_pixels):
    try:
        content, header = load_image(path, max_pixels)
    except UnreadableImage as error:
        return ImageFacts(None, 0, b"", error.reason)
    orientation = read_orientation(path, header.is_direct)
    return ImageFacts(header, orientation, hashlib.sha256(content).digest(), "")


def _finish(image: RawImage, facts: ImageFacts, labels, problems) -> ImageBoxes:
    """An image with those of its boxes that can be used."""
    header = facts.header
    stored = (header.width, header.height)
    upright = stored[::-1] if facts.orientation >= 5 else stored
    size, is_upright = _annotated_size(image, stored, upright, problems)
    rows = {"boxes": [], "labels": [], "crowd": [], "areas": []}
    seen = set()
    for raw in image.boxes:
        corners, remark = _usable_corners(np.array(raw.corners, np.float64), size, image, stored)
        if corners is not None and not is_upright:
            corners = to_upright(corners[None], facts.orientation)[0]
        if remark:
            problems.append(f"{raw.where}: {remark}")
        if corners is None:
            continue
        corners = corners.astype(np.float32)
        key = (raw.label, raw.is_crowd, corners.tobytes())
        if key in seen:
            problems.append(f"{raw.where}: the box of '{raw.label}' is there twice; one is used")
            continue
        seen.add(key)
        rows["boxes"].append(corners)
        rows["labels"].append(labels[raw.label])
        rows["crowd"].append(raw.is_crowd)
        rows["areas"].append(raw.area)
    return ImageBoxes(
        image.path,
        *upright,
        np.array(rows["boxes"], np.float32).reshape(-1, 4),
        np.array(rows["labels"], np.int32),
        np.array(rows["crowd"], bool),
        np.array(rows["areas"], np.float64),
        split=image.split,
        is_direct=header.is_direct,
    )


def _annotated_size(image, stored, upright, problems):
    """((width, height) that the corners relate to, whether the boxes are upright already)."""
    size = image.size
    if not image.is_in_pixels:
        return upright, True
    if not size or min(size) <= 0 or size == stored:
        return stored, False
    if size == upright:
        return upright, True
    for actual, is_upright in ((stored, False), (upright, True)):
        if _is_scaled(size, actual):
            problems.append(
                f"{image.path}: is annotated as {_times(size)}, but has {_times(actual)} pixels; "
                f"the boxes are scaled"
            )
            return size, is_upright
    problems.append(
        f"{image.path}: is annotated as {_times(size)}, but has {_times(stored)} pixels; "
        f"the boxes are taken as pixels of the image"
    )
    return stored, False


def _is_scaled(size, actual):
    """Whether both differ by one factor, within the rounding of a resize to whole pixels."""
    factor = actual[0] / size[0]
    return abs(size[1] * factor - actual[1]) <= 1 + 0.5 * factor


def _times(size):
    return f"{size[0]} x {size[1]}"


def _usable_corners(corners, size, image, stored):
    """(normalised corners inside the image or None, the problem or "")."""
    unit = np.array([*size, *size], np.float64) if image.is_in_pixels else np.ones(4)
    shown = " ".join(f"{value:.6g}" for value in corners)
    if not np.isfinite(corners).all():
        return None, f"a box with numbers that are not finite ({shown}); it is left out"
    if corners[2] <= corners[0] or corners[3] <= corners[1]:
        return None, f"a box of no or negative size (corners {shown}); it is left out"
    inside = np.clip(corners / unit, 0.0, 1.0)
    # In the precision that is kept.
    width, height = np.diff(inside.astype(np.float32).reshape(2, 2), axis=0)[0]
    if width <= 0 or height <= 0:
        where = "lies outside the image" if (inside != corners / unit).any() else "has no area"
        return None, f"a box (corners {shown}) {where}; it is left out"
    excess = np.abs(inside - corners / unit) * np.array([*stored, *stored])
    if excess.max() > TOLERANCE_PIXELS + 1e-6:
        return inside, f"a box (corners {shown}) reaches outside the image; it is clipped"
    return inside, ""

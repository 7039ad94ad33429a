"""Files beside the predictions of one image: annotated picture, crops, YOLO text."""

import io
import re
from collections.abc import Iterator

import numpy as np
from PIL import Image

from apps.vision.detection.draw import draw_boxes
from apps.vision.detection.prediction.tile_merge import Found

JPEG_SIDE = 65_500  # the format has no larger ones
QUALITY = 90


def annotated(image: np.ndarray, found: Found, class_names: list[str]) -> bytes:
    """An image with boxes, labels and scores, as JPEG.

    Args:
        image: uint8 array (H, W, 3), upright.
        found: detections, boxes in parts of the image.
        class_names: names of all classes.
    """
    labels = [class_names[number] for number in found.classes]
    return _jpeg(draw_boxes(image, found.boxes, labels, found.scores, class_names))


def crops(
    image: np.ndarray, found: Found, class_names: list[str], name: str
) -> Iterator[tuple[str, bytes]]:
    """The part of an image in each detected box, as JPEG.

    Args:
        image: uint8 array (H, W, 3), upright.
        found: detections, boxes in parts of the image, best first.
        class_names: names of all classes.
        name: of the image.

    Yields:
        (path below crops/, JPEG): LABEL/NAME-NUMBER.jpg.
    """
    height, width = image.shape[:2]
    pixels = found.boxes * np.array([width, height, width, height], np.float32)
    for index, (box, number) in enumerate(zip(pixels, found.classes, strict=True), start=1):
        left, top = min(int(box[0]), width - 1), min(int(box[1]), height - 1)
        right, bottom = max(left + 1, round(box[2])), max(top + 1, round(box[3]))
        path = f"{folder_name(class_names[number])}/{name}-{index}.jpg"
        yield path, _jpeg(image[top:bottom, left:right])


def folder_name(label: str) -> str:
    """A class name as a folder: no separators, not hidden, not too long."""
    return re.sub(r"^\.|[^\w .+-]", "_", label.strip())[:60] or "_"


def yolo_text(found: Found, with_scores: bool) -> bytes:
    """A line `class cx cy w h`, in parts of the image, for each detection; also its score."""
    lines = []
    for (x1, y1, x2, y2), score, number in zip(*found, strict=True):
        values = [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1] + [score] * with_scores
        lines.append(" ".join([str(number), *(f"{value:.6f}" for value in values)]) + "\n")
    return "".join(lines).encode()


def _jpeg(pixels):
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.thumbnail((JPEG_SIDE, JPEG_SIDE))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()

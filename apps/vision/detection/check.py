"""`kerasuite detect check`: contents and problems of a data set, and sample pictures."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from apps.vision.detection.annotations.image_boxes import DetectionData
from apps.vision.detection.annotations.reader import read_annotations
from apps.vision.detection.config import DEFAULT_IMAGE_SIZE
from apps.vision.detection.detectors.anchor_reach import describe_reach
from apps.vision.detection.draw import draw_boxes
from apps.vision.detection.upright_picture import upright_picture
from shared.common.files import atomic_path
from shared.common.splits import TRAIN, VALIDATION
from shared.image.image_file import of_split
from shared.image.reader import DEFAULT_MAX_PIXELS

# COCO's limits of an object's area, in pixels of the image.
SMALL, MEDIUM = 32**2, 96**2
SAMPLE_SIDE = 1280


def describe(
    paths, format="", max_pixels=DEFAULT_MAX_PIXELS, image_size=DEFAULT_IMAGE_SIZE
) -> tuple[list[str], list[str]]:
    """(contents, problems) of data, a line each.

    Args:
        paths, format, max_pixels: see `read_annotations`.
        image_size: see `describe_data`.
    """
    return describe_data(read_annotations(paths, format, max_pixels), image_size)


def describe_data(
    data: DetectionData, image_size: int = DEFAULT_IMAGE_SIZE
) -> tuple[list[str], list[str]]:
    """(contents, problems) of data that were read, a line each.

    Args:
        data: images and boxes.
        image_size: int. Side of the square that images are fitted into, in pixels: it decides
            which boxes the anchors reach.
    """
    counts = np.array([len(image.boxes) for image in data.images])
    labels = np.concatenate([image.labels for image in data.images])
    crowd = int(sum(image.crowd.sum() for image in data.images))
    contents = [
        f"{len(data.images)} images, {np.sum(counts == 0)} of them without boxes",
        f"{counts.sum()} boxes" + (f", {crowd} of them crowd regions" if crowd else ""),
        f"{len(data.class_names)} classes",
    ]
    per_class = np.bincount(labels, minlength=len(data.class_names))
    contents += [f"  {name}: {n}" for name, n in zip(data.class_names, per_class, strict=True)]
    contents += [
        f"boxes per image: {counts.min()} to {counts.max()}, mean {counts.mean():.1f}",
        _sizes_of_boxes(data),
        *describe_reach(data.images, image_size),
        _sizes_of_images(data),
        _splits(data),
    ]
    return contents + data.notes + data.remarks, data.problems + _missing_classes(data)


def _sizes_of_boxes(data):
    areas = np.concatenate([_areas(image) for image in data.images])
    small, large = np.sum(areas < SMALL), np.sum(areas >= MEDIUM)
    return (
        f"sizes of boxes: small (below 32 x 32 pixels) {small}, "
        f"medium {len(areas) - small - large}, large (from 96 x 96 pixels) {large}"
    )


def _areas(image):
    sides = (image.boxes[:, 2:] - image.boxes[:, :2]) * [image.width, image.height]
    # float32 corners: 32 x 32 pixels would come out a trifle smaller.
    return sides.prod(axis=1).round(1)


def _sizes_of_images(data):
    widths = [image.width for image in data.images]
    heights = [image.height for image in data.images]
    return f"width {min(widths)} to {max(widths)}, height {min(heights)} to {max(heights)} pixels"


def _splits(data):
    splits = Counter(image.split or "not split" for image in data.images)
    return "split: " + ", ".join(f"{name} {n}" for name, n in sorted(splits.items()))


def _missing_classes(data):
    """Classes without a box at all, and in one part only."""
    total = _classes(data.images)
    lines = []
    if absent := _names(data, set(range(len(data.class_names))) - total):
        lines.append(f"classes without a box: {absent}")
    for split in (TRAIN, VALIDATION):
        images = of_split(data.images, split)
        if images and (absent := _names(data, total - _classes(images))):
            lines.append(f"classes without a box in the {split} part: {absent}")
    return lines


def _classes(images):
    return {int(label) for image in images for label in image.labels}


def _names(data, indices):
    return ", ".join(data.class_names[index] for index in sorted(indices))


def draw_samples(data: DetectionData, folder, count: int = 12) -> list[Path]:
    """Writes pictures with their boxes, from all over the data.

    Args:
        data: images and boxes; images without boxes are shown only if there is nothing else.
        folder: folder for sample-00-NAME.jpg and so on.
        count: int. Maximum number of pictures.

    Returns:
        The files.
    """
    images = [image for image in data.images if len(image.boxes)] or data.images
    chosen = np.linspace(0, len(images) - 1, min(count, len(images))).round().astype(int)
    written = []
    for number, index in enumerate(chosen):
        image = images[index]
        stem = os.path.splitext(os.path.basename(image.path))[0]
        path = Path(folder) / f"sample-{number:02d}-{stem}.jpg"
        picture = upright_picture(image.path)
        picture.thumbnail((SAMPLE_SIDE, SAMPLE_SIDE))
        names = [data.class_names[label] for label in image.labels]
        drawn = draw_boxes(np.asarray(picture), image.boxes, names, class_names=data.class_names)
        with atomic_path(path) as temporary:
            Image.fromarray(drawn).save(temporary, quality=90)
        written.append(path)
    return written

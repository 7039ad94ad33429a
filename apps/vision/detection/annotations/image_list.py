"""`images.jsonl`, the images of a run with their boxes: what it needs of its annotations."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from apps.vision.detection.annotations.image_boxes import ImageBoxes
from shared.common.files import write_text


def write_images(images: Iterable[ImageBoxes], path: Path) -> None:
    """Writes one line for each image."""
    write_text(path, "".join(json.dumps(_record(image)) + "\n" for image in images))


def read_images(path: Path) -> list[ImageBoxes]:
    """Reads what `write_images` wrote."""
    with open(path, encoding="utf-8") as lines:
        return [_image(json.loads(line)) for line in lines]


def _record(image: ImageBoxes) -> dict:
    return {
        "path": os.path.abspath(image.path),
        "split": image.split,
        "width": image.width,
        "height": image.height,
        "is_direct": image.is_direct,
        # float32 to double and back is exact.
        "boxes": image.boxes.astype(np.float64).tolist(),
        "labels": image.labels.tolist(),
        "crowd": image.crowd.astype(int).tolist(),
        "areas": None if image.areas is None else image.areas.tolist(),
    }


def _image(record: dict) -> ImageBoxes:
    return ImageBoxes(
        path=record["path"],
        width=record["width"],
        height=record["height"],
        boxes=np.array(record["boxes"], np.float32).reshape(-1, 4),
        labels=np.array(record["labels"], np.int32),
        crowd=np.array(record["crowd"], bool),
        split=record["split"],
        is_direct=record["is_direct"],
        areas=None if record["areas"] is None else np.array(record["areas"], np.float64),
    )

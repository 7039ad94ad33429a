"""What is known of the images of a detection data set, whatever format it was read from."""

import os
import re
from dataclasses import dataclass, field

import numpy as np

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True, eq=False)
class ImageBoxes:
    """One image and the objects in it.

    Attributes:
        path: where it is.
        width, height: pixels of the upright image (EXIF orientation applied).
        boxes: float32 (n, 4). Normalised xyxy of the upright image, inside 0..1, with an area.
        labels: int32 (n,). Indices into `DetectionData.class_names`.
        crowd: bool (n,). Regions of many objects (COCO's `iscrowd`): neither target nor fault.
        split: "train", "validation", or "" if the data do not say.
        is_direct: whether the graph decodes the file's own bytes; otherwise Pillow reads it.
        areas: float64 (n,) or None. What the annotations call the area of each object, in pixels
            (in COCO's files, of its outline); 0 where they do not say. Decides what is small.
    """

    path: str
    width: int
    height: int
    boxes: np.ndarray
    labels: np.ndarray
    crowd: np.ndarray
    split: str = ""
    is_direct: bool = True
    areas: np.ndarray | None = None


@dataclass
class DetectionData:
    """All usable images of a data set.

    Attributes:
        class_names: in the order of the data; sorted where the format has no order.
        images: in a stable order.
        problems: a line for each thing that is wrong, with file and row.
        notes: a line for each thing that is worth knowing but not wrong.
    """

    class_names: list[str]
    images: list[ImageBoxes]
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RawBox:
    """A box as an annotation file has it.

    Attributes:
        where: file and row, for messages.
        label: name of the class.
        corners: x1, y1, x2, y2 of its edges in the annotation's own unit; any numbers.
        is_crowd: as in COCO.
        area: as in COCO, in pixels; 0 where it is not said.
    """

    where: str
    label: str
    corners: tuple[float, float, float, float]
    is_crowd: bool = False
    area: float = 0.0


@dataclass
class RawImage:
    """An image and its boxes before anything is checked.

    Attributes:
        path: an existing image file.
        boxes: its boxes.
        split: "train", "validation" or "".
        size: (width, height) that the annotation states, or None.
        is_in_pixels: whether the corners are pixels; otherwise they are parts of the image.
    """

    path: str
    boxes: list[RawBox]
    split: str = ""
    size: tuple[int, int] | None = None
    is_in_pixels: bool = True


@dataclass
class RawData:
    """What a reader of one format found; see `apps.vision.detection.annotations.assemble`."""

    class_names: list[str] = field(default_factory=list)
    images: list[RawImage] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def split_of_folders(path: str, root: str) -> str:
    """The split that a folder between `root` and `path` names: train, validation, test or ""."""
    folders = os.path.relpath(os.path.dirname(path), root).split(os.sep)
    for name in folders:
        split = SPLIT_NAMES.get(re.sub(r"[\d_-]+$", "", name.lower()))
        if split:
            return split
    return ""


def split_of_name(name: str) -> str:
    """The split that a word of a file name says: `instances_val2017` is "validation"."""
    words = re.findall(r"[a-z]+", name.lower())
    return next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), "")

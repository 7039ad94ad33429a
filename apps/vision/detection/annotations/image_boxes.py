"""The images and boxes of a detection data set, whatever format they were read from."""

import os
import re
from dataclasses import dataclass, field

import numpy as np

from shared.common.splits import SPLIT_OF_NAME
from shared.image.image_file import ImageFile


@dataclass(frozen=True, eq=False)
class ImageBoxes(ImageFile):
    """An image and the objects in it.

    Attributes:
        width, height: pixels of the upright image (EXIF orientation applied).
        boxes: float32 (n, 4). Normalised xyxy of the upright image, inside 0..1, with an area.
        labels: int32 (n,). Indices into `DetectionData.class_names`.
        crowd: bool (n,). Regions of many objects (COCO's `iscrowd`): neither target nor fault.
        areas: float64 (n,) or None. Area of each object by the annotations, in pixels (in COCO's
            files, of its outline); 0 where they do not say. Decides the size
            class of an object.
    """

    width: int
    height: int
    boxes: np.ndarray
    labels: np.ndarray
    crowd: np.ndarray
    areas: np.ndarray | None = None

    # Arrays have no one truth value.
    __eq__, __hash__ = object.__eq__, object.__hash__

    def to_json(self):
        return super().to_json() | {
            # float32 to double and back is exact.
            "boxes": self.boxes.astype(np.float64).tolist(),
            "labels": self.labels.tolist(),
            "crowd": self.crowd.astype(int).tolist(),
            "areas": None if self.areas is None else self.areas.tolist(),
        }

    @classmethod
    def from_json(cls, values):
        areas = values["areas"]
        arrays = {
            "boxes": np.array(values["boxes"], np.float32).reshape(-1, 4),
            "labels": np.array(values["labels"], np.int32),
            "crowd": np.array(values["crowd"], bool),
            "areas": None if areas is None else np.array(areas, np.float64),
        }
        return cls(**values | arrays)


@dataclass
class DetectionData:
    """All usable images of a data set.

    Attributes:
        class_names: in the order of the data; sorted where the format has no order.
        images: in a stable order.
        problems: a line for each thing that is wrong, with file and row.
        notes: a line for each thing about the annotations that is worth knowing but not wrong.
        remarks: the same about the pictures: turned, made opaque, of a type that is not read.
    """

    class_names: list[str]
    images: list[ImageBoxes]
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


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
        is_in_pixels: whether the corners are pixels; otherwise they are parts of the image as it
            is seen, turned by its EXIF orientation.
        unread_boxes: objects, or whole annotations, that cannot be read.
    """

    path: str
    boxes: list[RawBox]
    split: str = ""
    size: tuple[int, int] | None = None
    is_in_pixels: bool = True
    unread_boxes: int = 0


class NoObject(ValueError):
    """A box that was read, but is none: a click without a drag. The image stays."""


@dataclass
class RawData:
    """The findings of a reader of one format; see `apps.vision.detection.annotations.assemble`."""

    class_names: list[str] = field(default_factory=list)
    images: list[RawImage] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def split_of_folders(path: str, root: str) -> str:
    """The split that a folder between `root` and `path` names: train, validation, test or ""."""
    folders = os.path.relpath(os.path.dirname(path), root).split(os.sep)
    for name in folders:
        split = SPLIT_OF_NAME.get(re.sub(r"[\d_-]+$", "", name.lower()))
        if split:
            return split
    return ""


def split_of_name(name: str) -> str:
    """The split that a word of a file name says: `instances_val2017` is "validation"."""
    words = re.findall(r"[a-z]+", name.lower())
    return next((SPLIT_OF_NAME[word] for word in words if word in SPLIT_OF_NAME), "")

"""EXIF orientation of boxes, as `shared.image.exif.apply_orientation` turns the pixels.

None of the three formats says whether its boxes relate to the stored pixels or to the upright
picture. YOLO's are taken for the picture as it is seen, as Ultralytics, OpenCV and the tools that
write them do. The width and height in VOC and COCO tell where they differ; where they do not,
boxes relate to the stored pixels: annotation tools and training code that know nothing of EXIF
made most of the existing data.
"""

import numpy as np
from PIL import Image

from shared.image.exif import ORIENTATION_TAG, UPRIGHT
from shared.image.reader import PILLOW_FORMATS


def read_orientation(path, is_direct):
    """Reads how an image must be turned, as the pixels will be.

    Args:
        path: path of a readable image.
        is_direct: bool. `ImageHeader.is_direct`.

    Returns:
        int, 1 (upright) to 8.
    """
    try:
        with Image.open(path, formats=PILLOW_FORMATS) as image:
            exif = Image.Exif() if is_direct else image.getexif()
            if is_direct:
                # Not `getexif`, which also believes XMP; the graph does not.
                exif.load(image.info.get("exif", b""))
            orientation = exif.get(ORIENTATION_TAG, UPRIGHT)
    except Exception:  # damaged metadata means upright, as in the graph
        return UPRIGHT
    return orientation if orientation in range(1, 9) else UPRIGHT


def to_upright(boxes, orientation):
    """Turns boxes of the stored pixels to those of the upright image.

    Args:
        boxes: float array (n, 4), normalised xyxy.
        orientation: int, 1 to 8 as in EXIF.

    Returns:
        Float array (n, 4), normalised xyxy.
    """
    if orientation >= 5:
        boxes = boxes[:, [1, 0, 3, 2]]
    return _flip(boxes, orientation)


def to_stored(boxes, orientation):
    """The inverse of `to_upright`."""
    boxes = _flip(boxes, orientation)
    return boxes[:, [1, 0, 3, 2]] if orientation >= 5 else boxes


def _flip(boxes, orientation):
    x1, y1, x2, y2 = boxes.T
    if orientation in (2, 3, 6, 7):
        x1, x2 = 1 - x2, 1 - x1
    if orientation in (3, 4, 7, 8):
        y1, y2 = 1 - y2, 1 - y1
    return np.stack([x1, y1, x2, y2], axis=-1)

"""Detection in very large images: overlapping tiles at full resolution, and the whole once.

A detector sees every image shrunk to one size; small objects of a large image vanish. Here the
image is cut into tiles that overlap, so that an object smaller than the overlap is whole in one of
them, and the whole image is looked at as well, for objects larger than a tile. `tile_merge` makes
one list of what all of them show.

Reference: slicing aided hyper inference, [Akyon et al., 2022](https://arxiv.org/abs/2202.06934)
"""

import io
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from apps.vision.detection.prediction.tile_merge import Found, merge
from shared.image.tiles import tile_starts

# Maximum number of tiles, and of their pixels, in one call of the model.
TILES_OF_CALL = 16
PIXELS_OF_CALL = 16_000_000
# The whole image is shrunk to this, or to the size of a tile if that is more; no detector's input
# is larger.
WHOLE_SIDE = 1280


def tile_views(height: int, width: int, tile: int, overlap: float) -> list[tuple]:
    """The tiles of an image.

    Args:
        height, width: ints. Of the image, in pixels.
        tile: int. Side of a tile.
        overlap: float, 0 to below 1. Minimum overlap of neighbours, as a part of the side.

    Returns:
        List of (x1, y1, x2, y2), ints, row by row. They cover the image; all are of the full side
        unless the image is smaller.
    """
    shared = tile - max(1, int(tile * (1 - overlap)))
    rows, columns = (tile_starts(side, tile, shared) for side in (height, width))
    return [
        (left, top, min(left + tile, width), min(top + tile, height))
        for top in rows
        for left in columns
    ]


def detect_tiled(
    image: np.ndarray,
    detect: Callable[[list[bytes]], list[Found]],
    *,
    tile: int,
    overlap: float,
    iou: float,
    max_detections: int,
) -> Found:
    """Detects in the tiles of an image and in the whole of it.

    Args:
        image: uint8 array (H, W, 3), upright.
        detect: function from encoded images to the detections in each, boxes in parts of it.
        tile, overlap: see `tile_views`.
        iou: float. Overlap above which the weaker of two boxes of a class is dropped.
        max_detections: int. Detections of the whole image, at most.

    Returns:
        `Found`, boxes in parts of the image.
    """
    height, width = image.shape[:2]
    views = [(0, 0, width, height), *tile_views(height, width, tile, overlap)]
    size = np.array([width, height, width, height], np.float32)
    found: list[Found] = []
    for group in _groups(views, tile):
        answers = detect([_encoded(image, view, tile) for view in group])
        found += [_in_image(*pair) for pair in zip(answers, group, strict=True)]
    merged = merge(found, views, (width, height), iou, max_detections)
    return merged._replace(boxes=np.clip(merged.boxes / size, 0.0, 1.0))


def _groups(views, tile) -> Iterator[list[tuple]]:
    """The whole image by itself, then as many tiles at once as memory allows."""
    yield views[:1]
    count = max(1, min(TILES_OF_CALL, PIXELS_OF_CALL // tile**2))
    for start in range(1, len(views), count):
        yield views[start : start + count]


def _encoded(image, view, tile):
    """A part of the image as BMP, which costs no time and no quality; large ones shrunk."""
    left, top, right, bottom = view
    picture = Image.fromarray(np.ascontiguousarray(image[top:bottom, left:right]))
    side = max(tile, WHOLE_SIDE)
    if max(picture.size) > side:
        factor = side / max(picture.size)
        size = tuple(max(1, round(length * factor)) for length in picture.size)
        picture = picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0)
    out = io.BytesIO()
    picture.save(out, "BMP")
    return out.getvalue()


def _in_image(found, view):
    """Boxes in parts of a view as boxes in pixels of the image."""
    left, top, right, bottom = view
    scale = np.array([right - left, bottom - top] * 2, np.float32)
    return found._replace(boxes=found.boxes * scale + np.array([left, top] * 2, np.float32))

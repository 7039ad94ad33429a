"""Many small pictures side by side in one PNG file."""

from pathlib import Path

import numpy as np
from PIL import Image

from shared.common.files import atomic_path

GAP = 2  # pixels between pictures
MIN_SIDE = 64  # smaller pictures are enlarged by a whole factor


def write_mosaic(pictures: np.ndarray, path: Path, columns: int = 8) -> None:
    """Writes pictures in rows.

    Args:
        pictures: uint8 (N, H, W, 1 or 3).
        path: PNG file to write.
        columns: int. Pictures in a row.
    """
    count, height, width, channels = pictures.shape
    factor = max(1, MIN_SIDE // max(height, width))
    pictures = pictures.repeat(factor, axis=1).repeat(factor, axis=2)
    rows = -(-count // columns)
    cell = np.array([height, width]) * factor + GAP
    sheet = np.full((rows * cell[0] - GAP, columns * cell[1] - GAP, channels), 255, np.uint8)
    for index, picture in enumerate(pictures):
        top, left = (index // columns) * cell[0], (index % columns) * cell[1]
        sheet[top : top + cell[0] - GAP, left : left + cell[1] - GAP] = picture
    with atomic_path(path) as temporary:
        Image.fromarray(sheet[..., 0] if channels == 1 else sheet).save(temporary, "PNG")

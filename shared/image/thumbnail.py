"""Small pictures of image files, for pages."""

import io
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from shared.common.errors import KerasuiteError
from shared.common.files import printable
from shared.common.inputs import Source
from shared.image.reader import PILLOW_FORMATS, load_source, to_rgb

SIDE, LARGE_SIDE = 160, 480


def thumbnail(source, side: int = SIDE) -> Image.Image:
    """An image file as an upright RGB picture, no longer than `side` pixels.

    Args:
        source: path, or the bytes of a file.
        side: int. Maximum of width and height; smaller images keep their size.
    """
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    with Image.open(file, formats=PILLOW_FORMATS) as image:
        # A JPEG is decoded at a half, a quarter or an eighth of its size.
        image.draft("RGB", (side, side))
        picture = to_rgb(ImageOps.exif_transpose(image))
    picture.thumbnail((side, side))
    return picture


def input_thumbnail(source: Source, max_pixels: int, side: int = SIDE) -> Image.Image:
    """The thumbnail of an input of batch inference.

    Args:
        source: the input; standard input cannot be read again.
        max_pixels: int. Larger images are refused by their header.
        side: see `thumbnail`.

    Raises:
        KerasuiteError: if there is no such image any more.
    """
    if source.path is None:
        raise KerasuiteError("standard input cannot be read again")
    return thumbnail(load_source(source, max_pixels)[0], side)


def input_and_result(
    row: dict[str, Any], source: Source, folder: Path, max_pixels: int
) -> list[tuple[bytes | Path, str]]:
    """The input beside the picture that was made of it, each with a caption.

    Args:
        row: of predictions.jsonl, with the path of the result in `folder` under "image".
        source, max_pixels: see `input_thumbnail`.
        folder: the output folder.
    """
    before = jpeg_bytes(input_thumbnail(source, max_pixels, LARGE_SIDE))
    caption = f"{printable(row['image'])}\n{row['width']} x {row['height']} pixels"
    return [(before, printable(row["file"])), (folder / row["image"], caption)]


def jpeg_bytes(picture: Image.Image) -> bytes:
    """An encoded picture whose edges and colours are kept well."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=90, subsampling=0)
    return out.getvalue()

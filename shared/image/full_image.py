"""Image files with everything that they hold: 16 bits, alpha, and grey as grey."""

import io
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps

from shared.image.decode import decode_image
from shared.image.exif import apply_orientation, png_orientation
from shared.image.reader import DEFAULT_MAX_PIXELS, UnreadableImage, load_image

PNG_BIT_DEPTH = 24  # its offset in the file
GREY_MODES = ("1", "L", "LA", "La")


@dataclass
class FullImage:
    """An upright image.

    Attributes:
        colour: uint8 or uint16 array (H, W, 1) for grey or (H, W, 3) for RGB, not composited.
        alpha: array (H, W, 1) of the same type, or None where the image is opaque.
    """

    colour: np.ndarray
    alpha: np.ndarray | None = None

    @property
    def bits(self) -> int:
        return 8 * self.colour.dtype.itemsize


def read_full_image(data: bytes, max_pixels: int = DEFAULT_MAX_PIXELS) -> FullImage:
    """Decodes an image file of any format that `read_image` takes.

    16 bits are kept of PNG, and of TIFF where it is grey; Pillow reads no other. Whatever has
    neither these nor alpha is decoded by the same function as in training and SavedModels.

    Args:
        data: the file.
        max_pixels: int. Larger images are refused by their header.

    Raises:
        UnreadableImage: for what is no image, damaged or too large.
    """
    readable, header = load_image(data, max_pixels)
    try:
        if header.format == "PNG" and data[PNG_BIT_DEPTH] == 16:
            return _from_deep_png(data)
        with Image.open(io.BytesIO(data)) as image:
            if image.mode.startswith("I;16"):
                values = np.asarray(ImageOps.exif_transpose(image)).astype(np.uint16)
                return FullImage(values[..., np.newaxis])
            is_grey = image.mode in GREY_MODES
            if image.has_transparency_data:
                return _with_alpha(ImageOps.exif_transpose(image), is_grey)
    except (OSError, SyntaxError, ValueError, tf.errors.OpError) as error:
        raise UnreadableImage("the image", f"damaged {header.format}") from error
    colour = decode_image(tf.constant(readable)).numpy()
    return FullImage(colour[..., :1] if is_grey else colour)


def _from_deep_png(data: bytes) -> FullImage:
    content = tf.constant(data)
    values = tf.io.decode_png(content, dtype=tf.uint16)
    values = apply_orientation(values, png_orientation(content)).numpy()
    channels = values.shape[-1]
    if channels in (1, 3):
        return FullImage(values)
    return FullImage(values[..., :-1], values[..., -1:])


def _with_alpha(image: Image.Image, is_grey: bool) -> FullImage:
    values = np.asarray(image.convert("LA" if is_grey else "RGBA"))
    return FullImage(values[..., :-1], values[..., -1:])

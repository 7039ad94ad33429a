"""Image files on the host: what the graph decoder may be given, and the rest made so.

`read_image` checks a file from its header, proves that the graph reads it, and turns what the
graph cannot read, or would read differently, into PNG. What it returns never makes
`shared.image.decode.decode_image` fail.
"""

import codecs
import io
import os
import struct
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps

from shared.common.errors import KerasuiteError
from shared.common.files import open_file
from shared.image.verify import DamagedImage, is_animated_webp, verify

JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")
OTHER_SUFFIXES = (".png", ".gif", ".bmp", ".dib", ".webp", ".tif", ".tiff", ".avif")
NETPBM_SUFFIXES = (".ppm", ".pgm", ".pbm", ".pnm")
IMAGE_SUFFIXES = frozenset(JPEG_SUFFIXES + OTHER_SUFFIXES + NETPBM_SUFFIXES)
DEFAULT_MAX_PIXELS = 100_000_000
# An explicit list: Pillow's other plugins run foreign programs (EPS) or are seldom tested.
# MPO comes through JPEG. What this Pillow was built without (AVIF, say) is left out.
Image.init()
PILLOW_FORMATS = tuple(
    name
    for name in ("JPEG", "PNG", "GIF", "BMP", "DIB", "WEBP", "TIFF", "AVIF", "PPM")
    if name in Image.OPEN
)
SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
}

TIFF_TILE_SIDES = (322, 323)  # the tags
MAX_TILE = 4096**2  # pixels of a tile that is larger than its picture
JPEG_SCAN = b"\xff\xda"  # In the coded data a zero follows each 0xFF.
MAX_SCANS = 100  # of a progressive JPEG; encoders write about ten

# Pillow's own limit knows neither ours nor how to name it; `_check_pixels` stands in for it.
Image.MAX_IMAGE_PIXELS = None


class UnreadableImage(KerasuiteError):
    """A file that is no readable image.

    Args:
        name: str. The file, as the user knows it.
        reason: str. The problem in a few words, such as "truncated JPEG".
    """

    def __init__(self, name: str, reason: str):
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


class ImageHeader(NamedTuple):
    """The header of an image.

    `is_direct` says whether the graph reads the file's own bytes; otherwise they go through
    `read_image`. Width and height are as stored, before EXIF orientation. The mode is Pillow's,
    with ";16" where RGB has 16 bits a channel and " transparent" where that is not in its name.
    """

    format: str
    width: int
    height: int
    mode: str
    is_direct: bool

    @property
    def is_transparent(self) -> bool:
        """Whether some pixels may be transparent."""
        return self.mode.endswith(("A", "a", "transparent"))

    @property
    def is_deep(self) -> bool:
        """Whether a channel has more than 8 bits."""
        return self.mode.startswith(("I", "F")) or ";16" in self.mode


def read_image(source, max_pixels=DEFAULT_MAX_PIXELS):
    """Reads an image as bytes that `decode_image` accepts.

    Args:
        source: path of a file, or the bytes of one.
        max_pixels: int. Images with more pixels are refused from their header.

    Returns:
        bytes: the file itself (its EXIF orientation is left to the graph), or a PNG (upright,
        over white, of the first frame or page) where the graph would not do it justice.

    Raises:
        UnreadableImage: with a reason, for whatever is no image, damaged or too large.
    """
    image_bytes, _ = load_image(source, max_pixels)
    return image_bytes


def load_source(source, max_pixels=DEFAULT_MAX_PIXELS):
    """`load_image` of a `shared.common.inputs.Source`; the error is the bare reason.

    For batch inference, whose error rows name the file already.
    """
    try:
        return load_image(source.path or source.read_bytes(), max_pixels)
    except UnreadableImage as error:
        raise KerasuiteError(error.reason) from error


def load_image(source, max_pixels=DEFAULT_MAX_PIXELS):
    """As `read_image`; returns the bytes and the `ImageHeader`."""
    name = "the image" if isinstance(source, bytes) else os.fspath(source)
    data = source if isinstance(source, bytes) else _read_file(Path(source), max_pixels)
    image, header = _open(io.BytesIO(data), name, max_pixels)
    if header.format == "JPEG" and (scans := data.count(JPEG_SCAN)) > MAX_SCANS:
        raise UnreadableImage(name, f"a JPEG of {scans} scans, which would take minutes")
    with image:
        if not header.is_direct:
            return _transcode(image, name), header
    try:
        verify(data, header.format)
    except DamagedImage as error:
        raise UnreadableImage(name, f"{error} {header.format}") from error
    return data, header


def load_image_bytes(path, is_direct):
    """`read_image` for tf.data: the file as it is, or through Pillow, per file.

    For training only: a SavedModel cannot hold the Python call.

    Args:
        path: string scalar tensor.
        is_direct: bool scalar tensor. `ImageHeader.is_direct` of the file.

    Returns:
        string scalar tensor for `decode_image`.
    """

    def through_pillow():
        # The scan has judged the size.
        def read_upright(one):
            return read_image(os.fsdecode(one), max_pixels=sys.maxsize)

        read = tf.numpy_function(read_upright, [path], tf.string)
        return tf.ensure_shape(read, ())

    return tf.cond(is_direct, lambda: tf.io.read_file(path), through_pillow)


def _read_file(path, max_pixels):
    try:
        with open_file(path) as file:
            if path.stat().st_size > 1 << 20:
                # Refuses a giant before its bytes are in memory.
                _open(file, os.fspath(path), max_pixels)
                file.seek(0)
            return file.read()
    except OSError as error:
        raise UnreadableImage(os.fspath(path), (error.strerror or str(error)).lower()) from error


def _open(file, name, max_pixels):
    """Opens lazily with Pillow: the header is parsed, no pixel is decoded."""
    try:
        image = Image.open(file, formats=PILLOW_FORMATS)
    except Exception as error:  # Pillow's parsers raise nearly anything on garbage
        raise UnreadableImage(name, _why_unidentified(_peek(file, 4096))) from error
    format_name = {"MPO": "JPEG", "DIB": "BMP"}.get(image.format, image.format)
    _check_pixels(image, name, max_pixels)
    return image, ImageHeader(
        format_name,
        *image.size,
        _mode(image),
        _is_direct(format_name, _peek(file, 34)),
    )


def _mode(image):
    """Pillow shows RGB of 16 bits as RGB; what its decoder is told says what the file has."""
    raw_modes = [str(part) for tile in image.tile for part in np.ravel(tile[3])[:1]]
    is_deep = any(";16" in mode for mode in raw_modes) and not image.mode.startswith("I")
    in_name = image.mode.endswith(("A", "a"))
    is_transparent = not in_name and "transparency" in image.info
    return image.mode + ";16" * is_deep + " transparent" * is_transparent


def _peek(file, size):
    """The first bytes of a file, whose position stays (Pillow goes on from it)."""
    position = file.tell()
    file.seek(0)
    start = file.read(size)
    file.seek(position)
    return start


def _check_pixels(image, name, max_pixels):
    width, height = image.size
    if width * height > max_pixels:
        raise UnreadableImage(
            name,
            f"{width} x {height} is {width * height / 1e6:.6g} megapixels, "
            f"over --max-pixels {max_pixels / 1e6:.6g} megapixels",
        )
    if image.format == "TIFF":
        # A tile is decoded whole, however little of it the picture has.
        tile = [int(image.tag_v2.get(tag, 0)) for tag in TIFF_TILE_SIDES]
        if tile[0] * tile[1] > max(width * height, MAX_TILE):
            raise UnreadableImage(name, f"{width} x {height}, but a tile of {tile[0]} x {tile[1]}")


def _is_direct(format_name, start):
    """Whether the graph reads this file exactly as Pillow would show it, from its first bytes."""
    if format_name == "WEBP":
        return not is_animated_webp(start)
    if format_name == "BMP":
        # Only the plain kind; the others differ in palettes, masks, alpha and compression.
        if len(start) < 34:  # of OS/2
            return False
        size, _, _, _, bits, compression = struct.unpack_from("<IiiHHI", start, 14)
        return size >= 40 and bits == 24 and compression == 0
    return format_name in ("JPEG", "PNG")


def _why_unidentified(start):
    """The reason in words, from the first bytes of something that Pillow does not know."""
    if not start:
        return "0 bytes"
    for signature, format_name in SIGNATURES.items():
        if start.startswith(signature):
            return f"truncated or damaged {format_name}"
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "truncated or damaged WEBP"
    if start[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc"):
        return "HEIC, which is not supported; convert it to JPEG"
    return "text, not an image" if _is_text(start) else "not an image"


def _is_text(start):
    try:
        # Incremental: the last character may be cut.
        text = codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\r\n\t\f\ufeff" for character in text)


def _transcode(image, name):
    """Decodes with Pillow and returns an upright RGB PNG."""
    try:
        image.seek(0)
        image.load()
        upright = ImageOps.exif_transpose(image)
        rgb = to_rgb(upright)
    except Exception as error:  # as in `_open`
        reason = "truncated" if "trunc" in str(error).lower() else "damaged"
        raise UnreadableImage(name, f"{reason} {image.format}") from error
    output = io.BytesIO()
    # A new image leaves metadata behind: the orientation must not be applied twice.
    Image.fromarray(np.asarray(rgb)).save(output, "PNG", compress_level=1)
    return output.getvalue()


def to_rgb(image):
    """Brings a Pillow image of any mode to RGB, 8 bits, over white.

    16-bit values keep their high byte, as in PNG; floating-point values count as 0..1 where none
    is above 1, otherwise as 0..255.

    Args:
        image: PIL.Image.Image.

    Returns:
        PIL.Image.Image of mode RGB.
    """
    if image.mode in ("F", "I") or image.mode.startswith("I;16"):
        return Image.fromarray(_to_8_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _to_8_bits(values):
    if values.dtype.kind == "f":
        values = np.nan_to_num(values, posinf=255.0)
        values = values * 255.0 if values.max() <= 1.0 else values
    elif values.max() > 255 or values.dtype.itemsize == 2:
        values = values.astype(np.int64) >> 8
    return values.clip(0, 255).astype(np.uint8)

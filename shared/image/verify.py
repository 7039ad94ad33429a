"""Proves that the graph decoder will read a file, for less than it costs to decode it.

JPEG runs through the decoder's own entropy coding at an eighth of the size. PNG carries
checksums and a length that is known beforehand. WebP and BMP are decoded.
"""

import struct
import zlib

import tensorflow as tf

PNG_PALETTE = 3
PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# x and y of the first pixel and the steps of the seven passes of an interlaced PNG.
PNG_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2))
PNG_PASSES += ((0, 1, 1, 2),)


class DamagedImage(ValueError):
    """The decoder would fail; the message is "truncated" or "damaged"."""


def verify(image_bytes, format_name):
    """Checks that `shared.image.decode.decode_image` reads a file.

    Args:
        image_bytes: bytes. The whole file.
        format_name: "JPEG", "PNG", "WEBP" or "BMP".

    Raises:
        DamagedImage: if it does not.
    """
    if format_name == "PNG":
        return _verify_png(image_bytes)
    is_whole = {"JPEG": _has_jpeg_end, "WEBP": _has_riff_length, "BMP": lambda _: True}
    if not is_whole[format_name](image_bytes):
        raise DamagedImage("truncated")
    try:
        with tf.device("CPU:0"):
            _decode(image_bytes, format_name)
    except tf.errors.OpError as error:
        raise DamagedImage("damaged") from error


def is_animated_webp(image_bytes):
    """Whether TensorFlow 2.21 would decode this as an animation, which corrupts its heap."""
    return image_bytes[12:16] == b"VP8X" and bool(image_bytes[20] & 2)


def _decode(image_bytes, format_name):
    if format_name == "JPEG":
        return tf.io.decode_jpeg(image_bytes, channels=3, ratio=8)
    if format_name == "WEBP":
        if is_animated_webp(image_bytes):
            raise DamagedImage("animated")
        return tf.raw_ops.DecodeWebP(contents=image_bytes)
    return tf.io.decode_bmp(image_bytes)


def _has_jpeg_end(image_bytes):
    return image_bytes.rfind(b"\xff\xd9") > 0


def _has_riff_length(image_bytes):
    return struct.unpack_from("<I", image_bytes, 4)[0] + 8 <= len(image_bytes)


def _verify_png(image_bytes):
    chunks = {}
    for name, content in _png_chunks(image_bytes):
        chunks.setdefault(name, []).append(content)
    header = bytes(chunks.get(b"IHDR", [b""])[0])
    if len(header) != 13 or b"IDAT" not in chunks:
        raise DamagedImage("damaged")
    if header[9] == PNG_PALETTE and b"PLTE" not in chunks:
        raise DamagedImage("damaged")
    _verify_png_pixels(header, b"".join(chunks[b"IDAT"]))


def _png_chunks(image_bytes):
    """Yields (name, content) up to IEND; every length and checksum must be right."""
    position, name = 8, b""
    while name != b"IEND":
        if position + 12 > len(image_bytes):
            raise DamagedImage("truncated")
        length, name = struct.unpack_from(">I4s", image_bytes, position)
        end = position + 8 + length
        if end + 4 > len(image_bytes):
            raise DamagedImage("truncated")
        content = memoryview(image_bytes)[position + 4 : end]
        if zlib.crc32(content) != struct.unpack_from(">I", image_bytes, end)[0]:
            raise DamagedImage("damaged")
        yield name, content[4:]
        position = end + 4


def _verify_png_pixels(header, compressed):
    """The pixels inflate to the size that the header promises, with valid row filters."""
    rows = _png_rows(header)
    size = sum(length * count for length, count in rows)
    try:
        pixels = zlib.decompressobj().decompress(compressed, size)
    except zlib.error as error:
        raise DamagedImage("damaged") from error
    if len(pixels) < size:
        raise DamagedImage("damaged")
    start = 0
    for length, count in rows:
        end = start + length * count
        if count and max(pixels[start:end:length]) > 4:  # a row begins with its filter, 0 to 4
            raise DamagedImage("damaged")
        start = end


def _png_rows(header):
    """(bytes of a row, number of rows) of the image, or of each pass of an interlaced one."""
    width, height, depth, colour_type, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if colour_type not in PNG_CHANNELS:
        raise DamagedImage("damaged")
    passes = PNG_PASSES if interlaced else ((0, 0, 1, 1),)
    rows = []
    for left, top, step_x, step_y in passes:
        columns = max(0, -(-(width - left) // step_x))
        count = max(0, -(-(height - top) // step_y))
        if columns and count:
            rows.append((1 + -(-columns * depth * PNG_CHANNELS[colour_type] // 8), count))
    return rows

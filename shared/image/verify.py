"""Proves that the graph decoder will read a file, with the decoder itself.

JPEG runs through the decoder's entropy coding at an eighth of the size, which costs a third of
decoding it. What a decoder forgives, a missing end, is looked for in the bytes.
"""

import struct

import tensorflow as tf

PNG_END = b"IEND\xaeB`\x82"  # name and checksum of the last chunk, which has no content


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
    is_whole = {
        "JPEG": _has_jpeg_end,
        "PNG": _has_png_end,
        "WEBP": _has_riff_length,
        "BMP": lambda _: True,
    }
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
    if format_name == "PNG":
        return tf.io.decode_png(image_bytes)
    if format_name == "WEBP":
        if is_animated_webp(image_bytes):
            raise DamagedImage("animated")
        return tf.raw_ops.DecodeWebP(contents=image_bytes)
    return tf.io.decode_bmp(image_bytes)


def _has_jpeg_end(image_bytes):
    return image_bytes.rfind(b"\xff\xd9") > 0


def _has_png_end(image_bytes):
    return image_bytes.rfind(PNG_END) > 0


def _has_riff_length(image_bytes):
    return struct.unpack_from("<I", image_bytes, 4)[0] + 8 <= len(image_bytes)

"""Image files to pixels inside the graph: one function for training, SavedModel and prediction.

| format | read as |
|---|---|
| JPEG | baseline and progressive, grey, YCbCr, RGB, CMYK and YCCK; the exact DCT, as Pillow |
| PNG | every bit depth and colour type; 16 bits keep the high byte; APNG's first frame |
| GIF | the first frame; transparent pixels show their palette colour |
| BMP | 8-bit grey and palette, 24-bit, 32-bit with the fourth byte ignored; uncompressed |
| WebP | lossy and lossless stills; animations are refused, as the op corrupts memory on them |

Alpha is composited over white, as a browser shows it. EXIF orientation is applied. What this
graph cannot read or would read differently (TIFF, AVIF, animations, transparent GIF, rare BMP)
`shared.image.reader.read_image` turns into PNG beforehand.
"""

import tensorflow as tf

from shared.image.exif import (
    apply_orientation,
    is_plain_jpeg,
    jpeg_orientation,
    png_orientation,
    substring,
    webp_orientation,
)

IMAGE_SPEC = tf.TensorSpec((None, None, 3), tf.uint8)


def decode_image(image_bytes):
    """Decodes one image file and turns it upright.

    Args:
        image_bytes: string scalar tensor. The whole file: JPEG, PNG, GIF, BMP or WebP.

    Returns:
        uint8 tensor (H, W, 3), RGB.

    Raises:
        tf.errors.InvalidArgumentError: when the graph runs on anything else or a damaged file.
    """
    image = tf.cond(
        substring(image_bytes, 0, 3) == b"\xff\xd8\xff",
        lambda: _decode_jpeg(image_bytes),
        lambda: _decode_other(image_bytes),
    )
    return tf.ensure_shape(image, IMAGE_SPEC.shape)


def decode_batch(image_bytes, per_image, output_spec, parallel_iterations=16):
    """Decodes images of unequal sizes and brings each to a common form.

    Args:
        image_bytes: string tensor (N,). Image files.
        per_image: function from a uint8 tensor (H, W, 3) to tensors as in `output_spec`.
        output_spec: tf.TensorSpec, or a structure of them: of the results of `per_image`.
        parallel_iterations: int. How many images are worked on at the same time.

    Returns:
        The results of `per_image`, stacked to (N, ...).
    """
    return tf.map_fn(
        lambda one: per_image(decode_image(one)),
        image_bytes,
        fn_output_signature=output_spec,
        parallel_iterations=parallel_iterations,
    )


def _decode_jpeg(image_bytes):
    # The default DCT is up to 4 levels away from what other programs decode.
    image = tf.io.decode_jpeg(image_bytes, channels=3, dct_method="INTEGER_ACCURATE")
    return tf.cond(
        is_plain_jpeg(image_bytes), lambda: image, lambda: _turn_jpeg(image, image_bytes)
    )


# TensorFlow visits every node of a branch that is not taken. Behind a call there is only one, so
# that the frequent kind, JPEG without metadata, does not pay for all the others.
apart = tf.function(autograph=False, experimental_attributes={"_noinline": True})


@apart
def _turn_jpeg(image, image_bytes):
    return apply_orientation(image, jpeg_orientation(image_bytes))


@apart
def _decode_other(image_bytes):
    readers = (_decode_png, _decode_gif, _decode_bmp, _decode_webp, _refuse)
    branches = [lambda reader=reader: reader(image_bytes) for reader in readers]
    return tf.switch_case(_format_index(image_bytes), branches)


def _format_index(image_bytes):
    """Position of the file's format in the readers of `_decode_other`."""
    is_format = tf.stack(
        [
            substring(image_bytes, 0, 4) == b"\x89PNG",
            substring(image_bytes, 0, 4) == b"GIF8",
            substring(image_bytes, 0, 2) == b"BM",
            tf.strings.regex_full_match(substring(image_bytes, 0, 12), rb"RIFF\C{4}WEBP"),
            tf.constant(True),
        ]
    )
    return tf.argmax(is_format, output_type=tf.int32)


@apart
def _decode_png(image_bytes):
    # Only when asked for four channels does the op heed the transparent colour of grey or RGB;
    # but then it misreads what has fewer than eight bits.
    bit_depth = tf.io.decode_raw(substring(image_bytes, 24, 1), tf.uint8, fixed_length=1)[0]
    image = tf.cond(
        bit_depth >= 8,
        lambda: tf.io.decode_png(image_bytes, channels=4),
        lambda: tf.io.decode_png(image_bytes, channels=0),
    )
    image = _to_rgb(image)
    return apply_orientation(image, png_orientation(image_bytes))


@apart
def _decode_gif(image_bytes):
    return tf.io.decode_image(image_bytes, channels=3, expand_animations=False)


@apart
def _decode_bmp(image_bytes):
    header = tf.io.decode_raw(substring(image_bytes, 14, 40), tf.uint16, fixed_length=40)
    header = tf.cast(header, tf.int32)
    header_size, bits, compression = header[0], header[7], header[8]
    is_plain = (compression == 0) | ((compression == 3) & (bits == 32))
    check = tf.debugging.Assert(
        (header_size >= 40) & is_plain, ["BMP of an unusual kind (compressed or OS/2)"]
    )
    with tf.control_dependencies([check]):
        image = tf.io.decode_bmp(image_bytes)
    return tf.cond(
        bits == 8,
        lambda: tf.gather(_bmp_palette(image_bytes, header_size), tf.cast(image[..., 0], tf.int32)),
        lambda: image[..., :3],
    )


def _bmp_palette(image_bytes, header_size):
    """The 256 colours as uint8 (256, 3) RGB; the file keeps blue, green, red, unused."""
    colours = substring(image_bytes, 14 + header_size, 1024)
    colours = tf.io.decode_raw(colours, tf.uint8, fixed_length=1024)
    return tf.reverse(tf.reshape(colours, (256, 4))[:, :3], axis=[1])


@apart
def _decode_webp(image_bytes):
    flags = tf.io.decode_raw(substring(image_bytes, 12, 9), tf.uint8, fixed_length=9)
    is_animated = (substring(image_bytes, 12, 4) == b"VP8X") & (flags[8] & 2 > 0)
    check = tf.debugging.Assert(~is_animated, ["animated WebP: save its first frame as an image"])
    with tf.control_dependencies([check]):
        image = _to_rgb(tf.raw_ops.DecodeWebP(contents=image_bytes)[0])
    return apply_orientation(image, webp_orientation(image_bytes))


def _refuse(image_bytes):
    check = tf.debugging.Assert(False, ["not a JPEG, PNG, GIF, BMP or WebP image"])
    with tf.control_dependencies([check]):
        return tf.zeros((1, 1, 3), tf.uint8)


def _to_rgb(image):
    """Brings grey, RGB or RGBA (H, W, 1, 3 or 4) to RGB."""
    shape = tf.shape(image)
    rgb_shape = tf.concat([shape[:2], [3]], axis=0)
    return tf.cond(
        shape[2] == 4, lambda: _over_white(image), lambda: tf.broadcast_to(image, rgb_shape)
    )


def _over_white(image):
    """Brings RGBA (H, W, 4) to RGB over white; most images are opaque and cost little."""
    colour, alpha = image[..., :3], image[..., 3:]

    def composite():
        weight = tf.cast(alpha, tf.int32)
        mixed = tf.cast(colour, tf.int32) * weight + 255 * (255 - weight)
        return tf.cast((mixed + 127) // 255, tf.uint8)

    return tf.cond(tf.reduce_min(alpha) == 255, lambda: colour, composite)

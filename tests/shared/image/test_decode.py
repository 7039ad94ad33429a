"""`decode_image` against Pillow, format by format and mode by mode."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from shared.image.decode import IMAGE_SPEC, decode_batch, decode_image

HEIGHT, WIDTH = 37, 53
graph_decode = tf.function(decode_image, input_signature=[tf.TensorSpec((), tf.string)])


def picture():
    """A smooth colour picture without symmetry."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    pixels = np.stack([x * 255 / WIDTH, y * 255 / HEIGHT, 128 + 90 * np.sin(x / 9 + y / 5)], -1)
    return Image.fromarray(pixels.astype(np.uint8))


def translucent():
    image = picture().convert("RGBA")
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    image.putalpha(Image.fromarray(((x * 5) % 256).astype(np.uint8)))
    return image


def encode(image, format_name, **options):
    output = io.BytesIO()
    image.save(output, format_name, **options)
    return output.getvalue()


def over_white(image_bytes):
    """Pixels as Pillow shows them on a white page, int32 (H, W, 3)."""
    image = Image.open(io.BytesIO(image_bytes)).convert("RGBA")
    page = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(page, image).convert("RGB")).astype(int)


def difference(image_bytes, expected=None):
    expected = over_white(image_bytes) if expected is None else expected
    decoded = graph_decode(image_bytes).numpy()
    assert decoded.dtype == np.uint8
    assert decoded.shape == expected.shape
    return np.abs(decoded.astype(int) - expected).max()


EXACT = {
    "jpeg": lambda: encode(picture(), "JPEG", quality=90),
    "jpeg progressive 4:4:4": lambda: encode(
        picture(), "JPEG", quality=95, progressive=True, subsampling=0
    ),
    "jpeg grey": lambda: encode(picture().convert("L"), "JPEG"),
    "png rgb": lambda: encode(picture(), "PNG"),
    "png grey": lambda: encode(picture().convert("L"), "PNG"),
    "png 1 bit": lambda: encode(picture().convert("1"), "PNG"),
    "png palette": lambda: encode(picture().convert("P"), "PNG"),
    "png 4-bit palette": lambda: encode(picture().quantize(12), "PNG", bits=4),
    "gif": lambda: encode(picture(), "GIF"),
    "gif animated": lambda: encode(
        picture(), "GIF", save_all=True, append_images=[picture().rotate(90)]
    ),
    "bmp": lambda: encode(picture(), "BMP"),
    "bmp grey": lambda: encode(picture().convert("L"), "BMP"),
    "bmp palette": lambda: encode(picture().convert("P"), "BMP"),
    "bmp few colours": lambda: encode(picture().quantize(200), "BMP"),
    "webp": lambda: encode(picture(), "WEBP"),
    "webp lossless": lambda: encode(picture(), "WEBP", lossless=True),
}


@pytest.mark.parametrize("kind", EXACT)
def test_equals_pillow(kind):
    assert difference(EXACT[kind]()) == 0


TRANSLUCENT = {
    "png rgba": lambda: encode(translucent(), "PNG"),
    "png grey alpha": lambda: encode(translucent().convert("LA"), "PNG"),
    "png palette, one transparent": lambda: encode(picture().quantize(8), "PNG", transparency=3),
    "png palette, alpha table": lambda: encode(
        picture().convert("P"), "PNG", transparency=bytes(range(256))
    ),
    "png grey key": lambda: encode(picture().convert("L"), "PNG", transparency=100),
    "png 2-bit palette": lambda: encode(picture().quantize(4), "PNG", bits=2, transparency=2),
    "png rgb key": lambda: encode(
        picture().quantize(8).convert("RGB"),
        "PNG",
        transparency=picture().quantize(8).convert("RGB").getpixel((20, 20)),
    ),
    "webp lossless": lambda: encode(translucent(), "WEBP", lossless=True, exact=True),
}


@pytest.mark.parametrize("kind", TRANSLUCENT)
def test_alpha_is_composited_over_white(kind):
    image_bytes = TRANSLUCENT[kind]()
    assert difference(image_bytes) <= 1
    without_alpha = np.asarray(Image.open(io.BytesIO(image_bytes)).convert("RGB")).astype(int)
    assert difference(image_bytes, without_alpha) > 50  # otherwise alpha is not tested at all


def test_transparent_pixels_become_white():
    image = Image.new("RGBA", (3, 2), (10, 20, 30, 0))
    assert (graph_decode(encode(image, "PNG")).numpy() == 255).all()


@pytest.mark.parametrize("adobe_transform", [0, 2], ids=["CMYK", "YCCK"])
def test_cmyk_jpeg_of_adobe_equals_pillow(adobe_transform):
    image_bytes = encode(picture().convert("CMYK"), "JPEG", quality=95)
    at = image_bytes.index(b"Adobe") + 11
    image_bytes = image_bytes[:at] + bytes([adobe_transform]) + image_bytes[at + 1 :]
    expected = np.asarray(Image.open(io.BytesIO(image_bytes)).convert("RGB")).astype(int)
    assert difference(image_bytes, expected) <= 2


def test_16_bit_png_keeps_the_high_byte():
    values = np.linspace(0, 65535, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(np.uint16)
    decoded = graph_decode(encode(Image.fromarray(values), "PNG")).numpy()
    np.testing.assert_array_equal(decoded, np.repeat(values[..., None] >> 8, 3, axis=2))


def test_bmp_of_32_bits_ignores_the_fourth_byte():
    expected = np.asarray(picture()).astype(int)
    assert difference(encode(translucent(), "BMP"), expected) == 0


def bmp_header_with(**fields):
    """A BMP whose header says something else than its pixels."""
    image_bytes = bytearray(encode(picture().convert("L"), "BMP"))
    for name, value in fields.items():
        struct.pack_into("<I", image_bytes, {"header_size": 14, "compression": 30}[name], value)
    return bytes(image_bytes)


REFUSED = {
    "nothing": b"",
    "one byte": b"\xff",
    "text": b"this is no image, although it is called so",
    "tiff": encode(picture(), "TIFF"),
    "compressed bmp": bmp_header_with(compression=1),
    "old bmp": bmp_header_with(header_size=12),
    "animated webp": encode(
        picture(), "WEBP", save_all=True, append_images=[picture().rotate(90)], duration=100
    ),
    "half a jpeg": encode(picture(), "JPEG")[:700],
    "half a png": encode(picture(), "PNG")[:300],
    "half a gif": encode(picture(), "GIF")[:1400],
    "half a bmp": encode(picture(), "BMP")[:700],
    "half a webp": encode(picture(), "WEBP", quality=95)[:300],
    "bare jpeg start": b"\xff\xd8\xff",
    "bare png start": b"\x89PNG",
    "bare gif start": b"GIF89a",
    "bare bmp start": b"BM",
    "bare webp start": b"RIFF\x00\x00\x00\x00WEBPVP8X",
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_image_raises_invalid_argument(kind):
    with pytest.raises(tf.errors.InvalidArgumentError):
        graph_decode(REFUSED[kind])


def test_animated_webp_is_refused_by_its_own_check():
    """The op behind it corrupts memory on animations: it must not even start."""
    with pytest.raises(tf.errors.InvalidArgumentError, match="animated WebP"):
        graph_decode(REFUSED["animated webp"])


def test_decode_batch_brings_unequal_images_to_one_size():
    files = [encode(picture(), "PNG"), encode(picture().resize((9, 21)), "JPEG")]

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
    def top_left(image_bytes):
        return decode_batch(image_bytes, lambda image: image[:8, :8], IMAGE_SPEC)

    batch = top_left(files).numpy()
    for row, file in zip(batch, files, strict=True):
        np.testing.assert_array_equal(row, graph_decode(file).numpy()[:8, :8])


def test_decode_batch_of_nothing():
    spec = tf.TensorSpec((8, 8, 3), tf.uint8)
    batch = tf.function(lambda files: decode_batch(files, lambda image: image[:8, :8], spec))
    assert batch(tf.zeros((0,), tf.string)).shape == (0, 8, 8, 3)


def test_graph_can_be_exported(tmp_path):
    module = tf.Module()
    module.decode = graph_decode
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    for image_bytes in (encode(translucent(), "PNG"), encode(picture(), "WEBP")):
        np.testing.assert_array_equal(loaded.decode(image_bytes), graph_decode(image_bytes))

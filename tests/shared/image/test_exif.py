"""Orientation: hand-built EXIF blocks in both byte orders, against Pillow's `exif_transpose`."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from shared.image.decode import decode_image
from shared.image.exif import apply_orientation, jpeg_orientation, tiff_orientation

STRING = [tf.TensorSpec((), tf.string)]
graph_decode = tf.function(decode_image, input_signature=STRING)
graph_tiff = tf.function(tiff_orientation, input_signature=STRING)
graph_jpeg = tf.function(jpeg_orientation, input_signature=STRING)

ORDERS = {"little": ("<", b"II"), "big": (">", b"MM")}
SHORT, LONG = 3, 4


def exif_block(orientation, order="little", type_=SHORT, gap=0, extra_tags=True):
    """A TIFF header and one directory, as a camera writes it."""
    sign, name = ORDERS[order]
    value = struct.pack(f"{sign}HH", orientation, 0)
    if type_ == LONG:
        value = struct.pack(f"{sign}I", orientation)
    entries = [(0x0112, type_, 1, value)]
    if extra_tags:
        entries = [(0x010F, 2, 4, b"Cam\0"), *entries, (0x0128, SHORT, 1, b"\x02\x00\x00\x00")]
    directory = struct.pack(f"{sign}H", len(entries))
    for tag, kind, count, content in entries:
        directory += struct.pack(f"{sign}HHI", tag, kind, count) + content
    header = name + struct.pack(f"{sign}HI", 42, 8 + gap)
    return header + b"\x99" * gap + directory + b"\0\0\0\0"


def segment(marker, content):
    return struct.pack(">HH", marker, len(content) + 2) + content


def stored_pixels():
    """Asymmetric blocks of 16 pixels: JPEG keeps their colours nearly unchanged."""
    blocks = np.random.default_rng(3).integers(0, 256, (2, 3, 1), np.uint8)
    return Image.fromarray(np.kron(blocks, np.ones((16, 16, 3), np.uint8)))


def jpeg_with(*segments):
    output = io.BytesIO()
    stored_pixels().save(output, "JPEG", quality=95)
    plain = output.getvalue()
    return plain[:2] + b"".join(segments) + plain[2:]


def app1(block):
    return segment(0xFFE1, b"Exif\0\0" + block)


def upright(image_bytes):
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(image_bytes))).convert("RGB"))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_jpeg_is_turned_as_pillow_turns_it(orientation, order):
    image_bytes = jpeg_with(app1(exif_block(orientation, order)))
    np.testing.assert_array_equal(graph_decode(image_bytes), upright(image_bytes))


@pytest.mark.parametrize("format_name", ["PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_png_and_webp_are_turned_as_pillow_turns_them(orientation, format_name):
    output = io.BytesIO()
    stored_pixels().save(output, format_name, exif=exif_block(orientation), lossless=True)
    image_bytes = output.getvalue()
    np.testing.assert_array_equal(graph_decode(image_bytes), upright(image_bytes))


def test_eight_orientations_give_eight_different_pictures():
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    results = {
        (tuple(turned.shape), np.asarray(turned).tobytes())
        for turned in (apply_orientation(tf.constant(pixels), tf.constant(n)) for n in range(1, 9))
    }
    assert len(results) == 8


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("type_", [SHORT, LONG])
@pytest.mark.parametrize("gap", [0, 2, 301])
@pytest.mark.parametrize("extra_tags", [False, True])
def test_block_variants(order, type_, gap, extra_tags):
    assert graph_tiff(exif_block(6, order, type_, gap, extra_tags)) == 6


@pytest.mark.parametrize("orientation", [0, 9, 255, 65535])
def test_orientations_that_do_not_exist_mean_upright(orientation):
    assert graph_tiff(exif_block(orientation)) == 1


BEFORE = {
    "JFIF with density": segment(0xFFE0, b"JFIF\0\1\1\1\0\x48\0\x48\0\0"),
    "XMP": segment(0xFFE1, b"http://ns.adobe.com/xap/1.0/\0<xml/>"),
    "two profiles": segment(0xFFE2, b"ICC_PROFILE" + b"\7" * 60000) * 2,
    "comment": segment(0xFFFE, b"Exif\0\0 is only mentioned here"),
}


@pytest.mark.parametrize("kind", BEFORE)
def test_segments_before_the_exif_one_are_passed(kind):
    image_bytes = jpeg_with(BEFORE[kind], app1(exif_block(8)))
    assert graph_jpeg(image_bytes) == 8
    np.testing.assert_array_equal(graph_decode(image_bytes), upright(image_bytes))


def test_exif_of_an_embedded_thumbnail_is_not_taken():
    thumbnail = jpeg_with(app1(exif_block(3)))
    assert graph_jpeg(jpeg_with(segment(0xFFE0, b"JFXX\0\x10" + thumbnail))) == 1


def test_no_exif_means_upright():
    assert graph_jpeg(jpeg_with()) == 1
    assert graph_jpeg(jpeg_with(segment(0xFFFE, b"a comment"))) == 1


def test_truncated_blocks_never_fail():
    for order in ORDERS:
        block = exif_block(6, order)
        found = [int(graph_tiff(block[:length])) for length in range(len(block))]
        assert set(found) <= {1, 6}
        assert found[30] == 1  # cut inside the entry


def test_truncated_jpeg_headers_never_fail():
    image_bytes = jpeg_with(app1(exif_block(6)))
    for length in range(0, 120):
        assert int(graph_jpeg(image_bytes[:length])) in (1, 6)


def test_garbage_blocks_never_fail():
    random = np.random.default_rng(0)
    block = exif_block(6)
    for _ in range(300):
        damaged = bytearray(block)
        for index in random.integers(0, len(block), 3):
            damaged[index] = random.integers(0, 256)
        assert 1 <= int(graph_tiff(bytes(damaged))) <= 8
        assert 1 <= int(graph_tiff(b"II" + random.bytes(40))) <= 8


def test_garbage_in_a_jpeg_leaves_the_picture():
    garbage = app1(b"MM\0*\xff\xff\xff\xff" + b"\xff" * 50)
    np.testing.assert_array_equal(graph_decode(jpeg_with(garbage)), graph_decode(jpeg_with()))

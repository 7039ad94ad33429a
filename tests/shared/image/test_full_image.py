"""Image files read with 16 bits, alpha and grey, against what was written."""

import io

import numpy as np
import pytest
from PIL import Image

from shared.image.full_image import read_full_image
from shared.image.png_writer import PngWriter
from shared.image.reader import UnreadableImage

RANDOM = np.random.default_rng(0)


def encoded(image, kind="PNG", **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def levels(*shape, dtype=np.uint8):
    return RANDOM.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


@pytest.mark.parametrize("mode, channels", [("L", 1), ("LA", 1), ("RGB", 3), ("RGBA", 3)])
def test_eight_bit_png(mode, channels):
    values = levels(7, 9, len(mode)) if len(mode) > 1 else levels(7, 9)
    found = read_full_image(encoded(Image.fromarray(values, mode)))
    values = values.reshape(7, 9, -1)
    np.testing.assert_array_equal(found.colour, values[..., :channels])
    assert (found.alpha is None) == (not mode.endswith("A"))
    if found.alpha is not None:
        np.testing.assert_array_equal(found.alpha, values[..., -1:])
    assert found.bits == 8


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bit_png(channels):
    values = levels(5, 6, channels, dtype=np.uint16)
    writer = PngWriter(6, 5, channels, 16)
    writer.add(values)
    found = read_full_image(writer.finish())
    assert found.bits == 16
    colours = 1 if channels < 3 else 3
    np.testing.assert_array_equal(found.colour, values[..., :colours])
    if channels in (2, 4):
        np.testing.assert_array_equal(found.alpha, values[..., -1:])
    else:
        assert found.alpha is None


def test_sixteen_bit_grey_tiff():
    values = levels(5, 6, dtype=np.uint16)
    found = read_full_image(encoded(Image.fromarray(values), "TIFF"))
    assert found.bits == 16
    np.testing.assert_array_equal(found.colour[..., 0], values)


def test_transparency_of_other_formats():
    values = levels(8, 8, 4)
    found = read_full_image(encoded(Image.fromarray(values), "WEBP", lossless=True, exact=True))
    np.testing.assert_array_equal(np.concatenate([found.colour, found.alpha], axis=-1), values)
    gif = Image.fromarray(levels(8, 8) % 4, "P")
    gif.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    found = read_full_image(encoded(gif, "GIF", transparency=2))
    np.testing.assert_array_equal(found.alpha[..., 0] == 0, np.asarray(gif) == 2)


def test_cmyk_becomes_rgb():
    found = read_full_image(encoded(Image.new("CMYK", (8, 6), (255, 0, 0, 0)), "JPEG"))
    assert found.colour.shape == (6, 8, 3)
    np.testing.assert_allclose(found.colour[0, 0], (0, 255, 255), atol=3)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_orientation_is_applied(mode):
    image = Image.fromarray(levels(6, 9, 3)).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = 6
    found = read_full_image(encoded(image, exif=exif))
    expected = np.rot90(np.asarray(image), -1).reshape(9, 6, -1)
    np.testing.assert_array_equal(found.colour, expected[..., : found.colour.shape[-1]])


@pytest.mark.parametrize("data", [b"", b"text", b"\x89PNG\r\n\x1a\n" + bytes(60)])
def test_what_is_no_image_is_refused(data):
    with pytest.raises(UnreadableImage):
        read_full_image(data)


def test_large_images_are_refused_by_their_header():
    with pytest.raises(UnreadableImage, match="megapixels"):
        read_full_image(encoded(Image.new("RGB", (20, 20))), max_pixels=399)

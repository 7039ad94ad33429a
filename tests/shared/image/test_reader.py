"""`read_image`: what it refuses, what it hands on, and that the graph reads all that it accepts."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from shared.image.decode import decode_image
from shared.image.reader import (
    IMAGE_SUFFIXES,
    UnreadableImage,
    load_image,
    load_image_bytes,
    read_image,
)
from shared.image.scan import scan_images

graph_decode = tf.function(decode_image, input_signature=[tf.TensorSpec((), tf.string)])


def picture(height=40, width=56):
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([x * 255 / width, y * 255 / height, 128 + 90 * np.sin(x / 9 + y / 5)], -1)
    return Image.fromarray(pixels.astype(np.uint8))


def noisy(height=40, width=56):
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8))


def translucent():
    image = picture().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


def encode(image, format_name, **options):
    output = io.BytesIO()
    image.save(output, format_name, **options)
    return output.getvalue()


def pixels_of(source):
    return graph_decode(read_image(source)).numpy().astype(int)


def over_white(image):
    page = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(page, image.convert("RGBA")).convert("RGB")).astype(int)


def png_chunk(name, content):
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


def png(width, height, *chunks, depth=8, colour_type=2, interlaced=0):
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlaced)
    body = b"".join(png_chunk(name, content) for name, content in chunks)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + body + png_chunk(b"IEND", b"")


ANIMATION = {"save_all": True, "append_images": [noisy()], "duration": 100}
DIRECT = {
    "jpeg": encode(picture(), "JPEG"),
    "jpeg progressive": encode(noisy(), "JPEG", progressive=True),
    "jpeg grey": encode(picture().convert("L"), "JPEG"),
    "jpeg cmyk": encode(picture().convert("CMYK"), "JPEG"),
    "jpeg with more after its end": encode(picture(), "JPEG") + b"\0" * 100,
    "png": encode(picture(), "PNG"),
    "png rgba": encode(translucent(), "PNG"),
    "png palette": encode(picture().convert("P"), "PNG"),
    "png 1 bit": encode(picture().convert("1"), "PNG"),
    "bmp": encode(picture(), "BMP"),
    "webp": encode(picture(), "WEBP"),
    "webp rgba": encode(translucent(), "WEBP"),
}
# name: (file, the pixels that it shows)
TRANSCODED = {
    "gif": (encode(picture(), "GIF"), None),
    "gif animated": (encode(picture(), "GIF", **ANIMATION), None),
    "gif transparent": (encode(picture().quantize(8), "GIF", transparency=3), None),
    "bmp palette": (encode(picture().quantize(16), "BMP"), None),
    "bmp 1 bit": (encode(picture().convert("1"), "BMP"), None),
    "webp animated": (encode(picture(), "WEBP", lossless=True, **ANIMATION), None),
    "tiff": (encode(picture(), "TIFF"), None),
    "tiff lzw": (encode(picture(), "TIFF", compression="tiff_lzw"), None),
    "tiff pages": (encode(picture(), "TIFF", save_all=True, append_images=[noisy()]), None),
    "tiff cmyk": (encode(picture().convert("CMYK"), "TIFF"), None),
    "tiff rgba": (encode(translucent(), "TIFF"), None),
    "avif": (encode(picture(), "AVIF"), None),
    "ppm": (encode(picture(), "PPM"), None),
    "tiff 16 bits": (
        encode(Image.fromarray(np.arange(40 * 56, dtype=np.uint16).reshape(40, 56) * 29), "TIFF"),
        np.arange(40 * 56).reshape(40, 56) * 29 // 256,
    ),
    "tiff float 0..1": (
        encode(Image.fromarray(np.linspace(0, 1, 2240, dtype=np.float32).reshape(40, 56)), "TIFF"),
        (np.linspace(0, 1, 2240, dtype=np.float32) * 255).astype(int).reshape(40, 56),
    ),
    "tiff float 0..255": (
        encode(
            Image.fromarray(np.linspace(-9, 300, 2240, dtype=np.float32).reshape(40, 56)), "TIFF"
        ),
        np.linspace(-9, 300, 2240, dtype=np.float32).clip(0, 255).astype(int).reshape(40, 56),
    ),
}


@pytest.mark.parametrize("kind", DIRECT)
def test_what_the_graph_reads_passes_unchanged(kind):
    image_bytes, header = load_image(DIRECT[kind])
    assert image_bytes == DIRECT[kind]
    assert header.is_direct and (header.width, header.height) == (56, 40)
    graph_decode(image_bytes)


@pytest.mark.parametrize("kind", TRANSCODED)
def test_the_rest_becomes_png(kind):
    file, expected = TRANSCODED[kind]
    image_bytes, header = load_image(file)
    assert image_bytes.startswith(b"\x89PNG") and not header.is_direct
    if expected is None:
        expected = over_white(Image.open(io.BytesIO(file)))
    else:
        expected = np.repeat(expected[..., None], 3, axis=2)
    np.testing.assert_array_equal(graph_decode(image_bytes), expected)


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", [1, 2, 3, 6, 8])
def test_orientation_is_applied_exactly_once(format_name, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {} if format_name in ("TIFF", "PNG", "AVIF") else {"quality": 95}
    file = encode(picture(), format_name, exif=exif, **options)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(file)))).astype(int)
    assert upright.shape[:2] == ((56, 40) if orientation >= 5 else (40, 56))
    np.testing.assert_array_equal(pixels_of(file), upright)


REASONS = {
    "0 bytes": b"",
    "text, not an image": "not a picture: schön\n".encode() * 400,
    "not an image": bytes(range(256)),
    "truncated or damaged JPEG": DIRECT["jpeg"][:20],
    "truncated JPEG": DIRECT["jpeg"][:-40],
    "truncated PNG": DIRECT["png"][:-40],
    "truncated or damaged WEBP": DIRECT["webp"][:-40],
    "damaged BMP": DIRECT["bmp"][:-40],
    "truncated GIF": TRANSCODED["gif"][0][:-400],
    "truncated or damaged PNG": b"\x89PNG\r\n\x1a\n",
    "HEIC, which is not supported; convert it to JPEG": b"\0\0\0\x18ftypheic" + bytes(50),
    "damaged PNG": DIRECT["png"][:60] + b"????" + DIRECT["png"][64:],
}


@pytest.mark.parametrize("reason", REASONS)
def test_reasons(reason, tmp_path):
    path = tmp_path / "ünlesbar.jpg"
    path.write_bytes(REASONS[reason])
    with pytest.raises(UnreadableImage) as caught:
        read_image(path)
    assert caught.value.reason == reason
    assert str(caught.value) == f"{path}: {reason}"


@pytest.mark.parametrize("as_bytes", [True, False])
def test_bomb_is_refused_from_its_header(as_bytes, tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(png(30000, 30000, (b"IDAT", zlib.compress(bytes(1000)))))
    with pytest.raises(UnreadableImage) as caught:
        read_image(path.read_bytes() if as_bytes else path)
    assert caught.value.reason == (
        "30000 x 30000 is 900 megapixels, over --max-pixels 100 megapixels"
    )


def test_max_pixels_is_inclusive():
    assert read_image(DIRECT["png"], max_pixels=40 * 56)
    with pytest.raises(UnreadableImage, match="over --max-pixels 0.002239 megapixels"):
        read_image(DIRECT["png"], max_pixels=40 * 56 - 1)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(UnreadableImage, match="no such file"):
        read_image(tmp_path / "none.jpg")
    with pytest.raises(UnreadableImage, match="is a directory"):
        read_image(tmp_path)


WELL_SUMMED_BUT_WRONG = {
    "no pixels": png(4, 4),
    "too few pixels": png(4, 4, (b"IDAT", zlib.compress(bytes(13 * 3)))),
    "no zlib": png(4, 4, (b"IDAT", b"these are no pixels")),
    "cut zlib": png(4, 4, (b"IDAT", zlib.compress(np.random.default_rng(0).bytes(52))[:30])),
    "bad filter": png(4, 4, (b"IDAT", zlib.compress(b"\x09" * 52))),
    "no palette": png(4, 4, (b"IDAT", zlib.compress(bytes(20))), colour_type=3),
    "impossible colour type": png(4, 4, (b"IDAT", zlib.compress(bytes(52))), colour_type=5),
    "no size": png(0, 4, (b"IDAT", zlib.compress(bytes(52)))),
    "interlaced, too short": png(9, 9, (b"IDAT", zlib.compress(bytes(252))), interlaced=1),
}


@pytest.mark.parametrize("kind", WELL_SUMMED_BUT_WRONG)
def test_png_with_right_checksums_and_wrong_content(kind):
    with pytest.raises(UnreadableImage):
        read_image(WELL_SUMMED_BUT_WRONG[kind])


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (9, 2), (5, 5), (8, 8)])
def test_whole_interlaced_png_is_accepted(size):
    height, width = size
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2)]
    rows = b""
    for left, top, step_x, step_y in [*passes, (0, 1, 1, 2)]:
        columns = len(range(left, width, step_x))
        rows += (b"\0" + b"\x77" * 3 * columns) * (
            len(range(top, height, step_y)) if columns else 0
        )
    file = png(width, height, (b"IDAT", zlib.compress(rows)), interlaced=1)
    assert (pixels_of(file) == 0x77).all()
    with pytest.raises(UnreadableImage):
        read_image(png(width, height, (b"IDAT", zlib.compress(rows[:-1])), interlaced=1))


FUZZED = {
    **{name: file for name, file in DIRECT.items() if name != "jpeg with more after its end"},
    "jpeg noise": encode(noisy(), "JPEG", quality=95),
    "webp noise": encode(noisy(), "WEBP", quality=95),
    "webp lossless": encode(noisy(), "WEBP", lossless=True),
    **{name: TRANSCODED[name][0] for name in ("gif animated", "webp animated", "tiff", "avif")},
    "bmp palette": TRANSCODED["bmp palette"][0],
}


def accepted_and_decoded(file):
    """False if the reader refuses the file; fails the test if the graph refuses what it took."""
    try:
        image_bytes = read_image(file)
    except UnreadableImage as error:
        assert "\n" not in error.reason and len(error.reason) < 80
        return False
    graph_decode(image_bytes)
    return True


@pytest.mark.parametrize("kind", FUZZED)
def test_truncated_anywhere(kind):
    file = FUZZED[kind]
    lengths = sorted({round(part * (len(file) - 1)) for part in np.linspace(0, 1, 60)})
    accepted = [length for length in lengths if accepted_and_decoded(file[:length])]
    # Only an animation may lose later frames, and AVIF or TIFF a padding at the end.
    if kind.startswith(("jpeg", "png", "bmp", "webp")) and kind != "webp animated":
        assert not accepted


@pytest.mark.parametrize("kind", FUZZED)
def test_damaged_anywhere(kind):
    random = np.random.default_rng(7)
    accepted = 0
    for _ in range(60):
        file = bytearray(FUZZED[kind])
        reach = len(file) if random.random() < 0.5 else min(len(file), 400)
        for index in random.integers(0, reach, random.integers(1, 4)):
            file[index] = random.integers(0, 256)
        accepted += accepted_and_decoded(bytes(file))
    assert accepted < 60


@pytest.fixture
def folder(tmp_path):
    files = {"a.jpg": DIRECT["jpeg"], "b.png": b"", "c.gif": TRANSCODED["gif"][0]}
    files |= {"d.jpg": b"hello", "e.tif": TRANSCODED["tiff 16 bits"][0]}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_scan_lists_every_file_in_order(folder):
    paths = sorted(folder.iterdir())
    scanned = list(scan_images(paths, threads=3))
    assert [one.path for one in scanned] == [str(path) for path in paths]
    assert [one.problem for one in scanned] == [None, "0 bytes", None, "text, not an image", None]
    assert scanned[0].header == ("JPEG", 56, 40, "RGB", True)
    assert scanned[2].header == ("GIF", 56, 40, scanned[2].header.mode, False)
    assert scanned[4].header == ("TIFF", 56, 40, "I;16", False)
    assert scanned[1].header is None


def test_tf_data_reads_direct_files_and_others(folder):
    good = [one for one in scan_images(sorted(folder.iterdir())) if not one.problem]
    paths, direct = [one.path for one in good], [one.header.is_direct for one in good]
    files = tf.data.Dataset.from_tensor_slices((paths, direct)).map(load_image_bytes)
    for path, file in zip(paths, files.as_numpy_iterator(), strict=True):
        assert file == read_image(path)


def test_suffixes():
    assert {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff"} <= IMAGE_SUFFIXES
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in IMAGE_SUFFIXES)


def tiff_of_one_tile(side: int) -> bytes:
    """A TIFF of 16 x 16 pixels whose only tile has `side` x `side`, which a decoder allocates."""
    tags = [
        (256, 16), (257, 16), (258, 8), (259, 1), (262, 1), (277, 1),
        (322, side), (323, side), (324, 154), (325, 16),
    ]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + b"\0" * 4 + b"\0" * 16


def test_giant_tiles_are_refused_from_the_header():
    with pytest.raises(UnreadableImage, match="16 x 16, but a tile of 46000 x 46000"):
        read_image(tiff_of_one_tile(46000))


def test_jpegs_of_hundreds_of_scans_are_refused():
    """Each scan goes over all pixels: 500 of them over 100 megapixels would take minutes."""
    out = io.BytesIO()
    Image.new("RGB", (16, 16)).save(out, "JPEG", progressive=True)
    content = out.getvalue()
    assert read_image(content) == content
    scan = content.index(b"\xff\xda")
    end = content.index(b"\xff\xda", scan + 2)
    bomb = content[:end] + content[scan:end] * 200 + content[end:]
    with pytest.raises(UnreadableImage, match="scans"):
        read_image(bomb)


def test_a_bitmap_of_thirty_bytes_is_read():
    """OS/2's short header and one white pixel, as Pillow shows it."""
    head = b"BM" + struct.pack("<IHHI", 30, 0, 0, 26) + struct.pack("<IHHHH", 12, 1, 1, 1, 24)
    content = head + b"\xff\xff\xff\0"
    assert len(content) == 30
    image = tf.io.decode_png(read_image(content), channels=3)
    assert image.numpy().tolist() == [[[255, 255, 255]]]

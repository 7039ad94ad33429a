"""PNG in bands, read back by Pillow and TensorFlow."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from shared.image.png_writer import PngWriter

RANDOM = np.random.default_rng(0)


def written(values, bits, bands=(3, 1, 100)):
    height, width, channels = values.shape
    writer = PngWriter(width, height, channels, bits)
    start = 0
    for rows in bands:
        if start < height:
            writer.add(values[start : start + rows])
        start += rows
    return writer.finish()


@pytest.mark.parametrize("channels, mode", [(1, "L"), (2, "LA"), (3, "RGB"), (4, "RGBA")])
def test_eight_bits_are_read_by_pillow(channels, mode):
    values = RANDOM.integers(0, 256, (9, 13, channels), dtype=np.uint8)
    with Image.open(io.BytesIO(written(values, 8))) as image:
        assert image.mode == mode
        np.testing.assert_array_equal(np.asarray(image).reshape(values.shape), values)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bits_are_read_by_tensorflow(channels):
    values = RANDOM.integers(0, 65536, (9, 1, channels), dtype=np.uint16)
    read = tf.io.decode_png(written(values, 16), dtype=tf.uint16)
    np.testing.assert_array_equal(read, values)


def test_missing_and_surplus_rows_are_refused():
    writer = PngWriter(4, 2, 3)
    writer.add(np.zeros((1, 4, 3), np.uint8))
    with pytest.raises(ValueError, match="1 rows are missing"):
        writer.finish()
    with pytest.raises(ValueError, match="does not fit"):
        writer.add(np.zeros((2, 4, 3), np.uint8))

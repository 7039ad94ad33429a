"""PNG files written from top to bottom: 8 and 16 bits, grey or colour, with or without alpha.

Pillow writes no 16-bit colour, and both Pillow and TensorFlow need the whole image at once.
"""

import struct
import zlib

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # channels to grey, grey + alpha, RGB, RGBA
SUB = 1  # the filter that stores differences to the pixel on the left
LEVEL = 4  # of zlib: the next ones take twice as long for a few per cent


class PngWriter:
    """Compresses bands of rows as they come.

        writer = PngWriter(width, height, channels=3, bits=16)
        for band in bands:
            writer.add(band)
        content = writer.finish()

    Args:
        width, height: ints. Of the whole image.
        channels: int. 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA.
        bits: int. 8 or 16.

    Reference: [PNG specification](https://www.w3.org/TR/png-3/)
    """

    def __init__(self, width: int, height: int, channels: int, bits: int = 8):
        self._shape, self._rows_left = (width, channels), height
        self._type = {8: np.dtype(np.uint8), 16: np.dtype(">u2")}[bits]
        header = struct.pack(">IIBBBBB", width, height, bits, COLOUR_TYPES[channels], 0, 0, 0)
        self._pieces = [SIGNATURE, _chunk(b"IHDR", header)]
        self._compressor = zlib.compressobj(LEVEL)

    def add(self, band: np.ndarray) -> None:
        """Takes the next rows, (rows, width, channels), uint8 or uint16."""
        if band.shape[1:] != self._shape or band.shape[0] > self._rows_left:
            raise ValueError(f"a band {band.shape} does not fit {self._shape}")
        self._rows_left -= band.shape[0]
        rows = np.ascontiguousarray(band, self._type).view(np.uint8)
        rows = rows.reshape(band.shape[0], -1)
        pixel = self._shape[1] * self._type.itemsize
        filtered = np.empty((rows.shape[0], 1 + rows.shape[1]), np.uint8)
        filtered[:, 0] = SUB
        filtered[:, 1 : 1 + pixel] = rows[:, :pixel]
        np.subtract(rows[:, pixel:], rows[:, :-pixel], out=filtered[:, 1 + pixel :])
        self._write(self._compressor.compress(filtered))

    def finish(self) -> bytes:
        """The file."""
        if self._rows_left:
            raise ValueError(f"{self._rows_left} rows are missing")
        self._write(self._compressor.flush())
        return b"".join([*self._pieces, _chunk(b"IEND", b"")])

    def _write(self, data: bytes) -> None:
        if data:
            self._pieces.append(_chunk(b"IDAT", data))


def _chunk(name: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(data, zlib.crc32(name))
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)

"""Whole images through a SavedModel's `tile` signature: memory, tiles, alpha, PNG."""

import math
from collections.abc import Callable, Iterator

import numpy as np

from shared.common.errors import KerasuiteError
from shared.image import bicubic
from shared.image.full_image import FullImage
from shared.image.png_writer import PngWriter
from shared.image.tiles import FEATHER, feathered_bands

# Sides of tiles are multiples of this, so that vector instructions are filled.
TILE_STEP = 16
LEVELS_16 = 257.0  # 65535 / 255

# Function of float32 (1, h, w, 3) in 0..255 to float32 (1, s h, s w, 3).
TileCall = Callable[[np.ndarray], np.ndarray]


def tile_for_memory(memory: int, bytes_per_pixel: int, overlap: int) -> int:
    """Side of the largest square tile whose call stays within some memory, in pixels.

    Args:
        memory: int. Bytes.
        bytes_per_pixel: int. Memory of a call for each pixel of its input.
        overlap: int. Pixels that neighbouring tiles share.

    Raises:
        KerasuiteError: if not even the smallest tile fits.
    """
    min_side = (overlap // TILE_STEP + 2) * TILE_STEP  # at least one step further each time
    side = math.isqrt(memory // max(bytes_per_pixel, 1)) // TILE_STEP * TILE_STEP
    if side < min_side:
        needed = min_side**2 * bytes_per_pixel / 2**20
        raise KerasuiteError(
            f"--memory: {memory / 2**20:.0f} MiB are too little for tiles of {min_side} pixels; "
            f"give at least {needed / 1024 + 0.1:.1f}, or a smaller --overlap"
        )
    return side


def enough_overlap(margin: int) -> int:
    """Pixels that neighbouring tiles must share for no seam to be left."""
    return 2 * margin + FEATHER


class Enlarger:
    """Enlarges images of any size to PNG files.

    Args:
        call: the network.
        scale: int. Factor of the network.
        margin: int. Pixels of its input beyond which an output pixel does not change.
        tile: int. Side of the tiles; images with more pixels than one are cut.
        overlap: int. Pixels that neighbouring tiles share.
    """

    def __init__(self, call: TileCall, scale: int, margin: int, tile: int, overlap: int):
        self.call = call
        self.scale, self.margin, self.tile, self.overlap = scale, margin, tile, overlap

    def png(self, image: FullImage) -> bytes:
        """The enlarged image, of the same bits and channels; alpha is enlarged by bicubic."""
        height, width, channels = image.colour.shape
        channels += image.alpha is not None
        writer = PngWriter(width * self.scale, height * self.scale, channels, image.bits)
        top = 0
        for band in self.bands(image.colour):
            if image.alpha is not None:
                rows = band.shape[0] // self.scale
                alpha = enlarged_rows(image.alpha, self.scale, top, top + rows)
                band, top = np.concatenate([band, alpha], axis=-1), top + rows
            writer.add(band)
        return writer.finish()

    def bands(self, colour: np.ndarray) -> Iterator[np.ndarray]:
        """The enlarged colours (H, W, 1 or 3) from top to bottom, in bands (rows, s W, 1 or 3)."""
        if colour.shape[0] * colour.shape[1] <= self.tile**2:
            yield self.part(colour)
            return
        yield from feathered_bands(
            colour,
            self.part,
            tile=self.tile,
            overlap=self.overlap,
            margin=self.margin,
            scale=self.scale,
        )

    def part(self, colour: np.ndarray) -> np.ndarray:
        """One call: whole levels (h, w, C) to whole levels (s h, s w, C) of the same type."""
        unit = LEVELS_16 if colour.dtype == np.uint16 else 1.0
        images = np.broadcast_to(colour, (*colour.shape[:2], 3)).astype(np.float32) / unit
        made = self.call(images[np.newaxis])[0]
        if colour.shape[-1] == 1:
            made = made.mean(axis=-1, keepdims=True)
        top = np.iinfo(colour.dtype).max
        return np.clip(np.rint(made * unit), 0, top).astype(colour.dtype)


def enlarged_rows(image: np.ndarray, scale: int, start: int, stop: int) -> np.ndarray:
    """The rows [start, stop) of the bicubic enlargement, without computing the others.

    Args:
        image: array (H, W, C).
        scale: int. The factor.
        start, stop: ints. Rows of `image`.
    """
    around = np.arange(start - bicubic.REACH, stop + bicubic.REACH)
    rows = image[bicubic.mirrored(around, image.shape[0])]
    cut = bicubic.REACH * scale
    return bicubic.enlarge(rows, scale)[cut:-cut]

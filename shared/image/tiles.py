"""Large images in overlapping tiles, and results put together without seams."""

from collections.abc import Callable, Iterator

import numpy as np

FEATHER = 8  # pixels over which one tile passes into the next, where the overlap allows it


def tile_starts(side: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin along a side, evenly from one end to the other.

    Args:
        side: int. Length of the side in pixels.
        tile: int. Length of a tile.
        overlap: int, below `tile`. Minimum overlap of neighbours.
    """
    if side <= tile:
        return [0]
    step = max(1, tile - overlap)
    count = -(-(side - tile) // step) + 1
    return [round(number * (side - tile) / (count - 1)) for number in range(count)]


def feathered_bands(
    image: np.ndarray,
    enlarge: Callable[[np.ndarray], np.ndarray],
    *,
    tile: int,
    overlap: int,
    margin: int,
    scale: int,
) -> Iterator[np.ndarray]:
    """Applies a function to an image by tiles and gives the result from top to bottom.

    No more than a row of tiles is held at a time. Where tiles overlap, one passes linearly into
    the next, in the middle of their overlap: the outer `margin` of each, which its neighbour
    sees more of the image around, has no weight where the overlap is twice that and more.

    Args:
        image: array (H, W, C).
        enlarge: function from a part (h, w, C) to whole levels, integers (s h, s w, D).
        tile: int. Side of the tiles, in pixels of `image`.
        overlap: int, below `tile`. Minimum overlap of neighbours.
        margin: int. How far the border of a tile changes its result.
        scale: int. The factor s.

    Yields:
        Arrays (rows, s W, D) of the type that `enlarge` gives; the rows add up to s H.
    """
    height, width = image.shape[:2]
    rows, columns = (tile_starts(side, tile, overlap) for side in (height, width))
    pending, reached = None, 0
    for number, top in enumerate(rows):
        parts = [enlarge(image[top : top + tile, left : left + tile]) for left in columns]
        strip = _joined(parts, [scale * left for left in columns], margin * scale, axis=1)
        if pending is not None:
            strip = _crossfade(pending, strip, margin * scale, axis=0)
        end = height if number + 1 == len(rows) else rows[number + 1]
        # What the next row of tiles also covers has to wait for it.
        finished = scale * (end - top)
        yield strip[:finished]
        pending, reached = strip[finished:], end
    assert reached == height


def _joined(parts: list[np.ndarray], starts: list[int], margin: int, axis: int) -> np.ndarray:
    """Tiles side by side as one, each passing into the next."""
    pieces, pending = [], None
    for number, (part, start) in enumerate(zip(parts, starts, strict=True)):
        if pending is not None:
            part = _crossfade(pending, part, margin, axis)
        is_last = number + 1 == len(starts)
        finished = part.shape[axis] if is_last else starts[number + 1] - start
        done, pending = np.split(part, [finished], axis=axis)
        pieces.append(done)
    return np.concatenate(pieces, axis=axis)


def _crossfade(before: np.ndarray, after: np.ndarray, margin: int, axis: int) -> np.ndarray:
    """`after` with its beginning, where `before` lies too, passing from one to the other."""
    length = before.shape[axis]
    shape = [1] * after.ndim
    shape[axis] = length
    weights = feather(length, margin).reshape(shape)
    shared, rest = np.split(after, [length], axis=axis)
    # Equal levels stay exactly equal.
    blended = before + np.rint(weights * (shared.astype(np.float32) - before))
    return np.concatenate([blended.astype(after.dtype), rest], axis=axis)


def feather(length: int, margin: int) -> np.ndarray:
    """Weights, from 0 to 1, of the later of two tiles over their overlap: float32 (length,).

    Args:
        length: int. Pixels of the overlap.
        margin: int. Pixels at each end to leave out, as far as `FEATHER` are left between.
    """
    left_out = min(margin, max(length - FEATHER, 0) // 2)
    ramp = length - 2 * left_out
    steps = (np.arange(ramp) + 0.5) / ramp if ramp else np.zeros(0)
    return np.concatenate([np.zeros(left_out), steps, np.ones(left_out)]).astype(np.float32)

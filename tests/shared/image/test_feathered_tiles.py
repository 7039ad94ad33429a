"""Tiles: positions, weights, and the same result as without them."""

import numpy as np
import pytest

from shared.image.tiles import FEATHER, feather, feathered_bands, tile_starts

RANDOM = np.random.default_rng(0)


def blurred_and_doubled(image):
    """Reaches two pixels far; what is beyond the border counts as zero."""
    padded = np.pad(image.astype(np.float64), ((2, 2), (2, 2), (0, 0)))
    height, width = image.shape[:2]
    total = sum(padded[y : y + height, x : x + width] for y in range(5) for x in range(5))
    return np.rint(total / 25).astype(image.dtype).repeat(2, axis=0).repeat(2, axis=1)


def by_tiles(image, tile, overlap, margin=2, function=blurred_and_doubled):
    options = {"tile": tile, "overlap": overlap, "margin": margin, "scale": 2}
    return np.concatenate(list(feathered_bands(image, function, **options)))


@pytest.mark.parametrize("side, tile, overlap", [(100, 32, 8), (33, 32, 8), (32, 32, 0), (5, 9, 3)])
def test_tiles_cover_a_side_and_share_enough(side, tile, overlap):
    starts = tile_starts(side, tile, overlap)
    assert starts[0] == 0
    assert starts[-1] == max(0, side - tile)
    steps = np.diff(starts)
    assert (steps <= tile - overlap).all()
    assert (steps > 0).all()


@pytest.mark.parametrize("shape", [(61, 83, 3), (24, 90, 1), (90, 10, 3), (25, 25, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_overlap_of_twice_the_margin_leaves_no_seam(shape, dtype):
    image = RANDOM.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)
    whole = blurred_and_doubled(image)
    np.testing.assert_array_equal(by_tiles(image, 24, 2 * 2 + FEATHER), whole)


def test_smaller_overlaps_differ_only_near_the_seams():
    image = RANDOM.integers(100, 200, (20, 44, 3), dtype=np.uint8)
    difference = by_tiles(image, 24, 4) != blurred_and_doubled(image)
    columns = np.flatnonzero(difference.any(axis=(0, 2)))
    # The second tile begins at column 20: within two pixels of the borders 20 and 24.
    assert set(columns) <= set(range(2 * 18, 2 * 26))


def test_overlaps_of_more_than_half_a_tile():
    image = RANDOM.integers(0, 256, (50, 50, 3), dtype=np.uint8)
    np.testing.assert_array_equal(by_tiles(image, 20, 14), blurred_and_doubled(image))


def test_one_tile_passes_linearly_into_the_next():
    calls = iter([10, 110])
    image = np.zeros((8, 28, 1), np.uint8)

    def constant(part):
        value = next(calls)
        return np.full((2 * part.shape[0], 2 * part.shape[1], 1), value, np.uint8)

    row = by_tiles(image, 16, 4, margin=0, function=constant)[0, :, 0]
    expected = [10] * 24 + list(np.rint(10 + 100 * (np.arange(8) + 0.5) / 8)) + [110] * 24
    np.testing.assert_array_equal(row, expected)


def test_bands_come_one_row_of_tiles_at_a_time():
    image = np.zeros((100, 30, 1), np.uint8)
    options = {"tile": 20, "overlap": 4, "margin": 0, "scale": 2}
    bands = list(feathered_bands(image, blurred_and_doubled, **options))
    assert max(len(band) for band in bands) <= 40
    assert sum(len(band) for band in bands) == 200


def test_feather_leaves_out_margins_where_there_is_room():
    weights = feather(20, 6)
    np.testing.assert_array_equal(weights[:6], 0)
    np.testing.assert_array_equal(weights[-6:], 1)
    np.testing.assert_allclose(weights[6:14], (np.arange(8) + 0.5) / 8)
    assert len(feather(5, 9)) == 5
    assert len(feather(0, 9)) == 0

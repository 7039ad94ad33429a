"""MATLAB's bicubic: known values, the definition pixel by pixel, and figures of papers."""

import math

import numpy as np
import pytest
from PIL import Image

from shared.image import bicubic
from shared.metrics.image_quality import luma, psnr, without_border

# What MATLAB's imresize gives for this image, as quoted by the tests of the image package of
# GNU Octave (https://gnu-octave.github.io/packages/image/), imresize.m.
LEVELS = np.array(
    [
        [116, 227, 153, 69, 146, 194, 59, 130, 139, 106],
        [2, 47, 137, 249, 90, 75, 16, 24, 158, 44],
        [155, 68, 46, 84, 166, 156, 69, 204, 32, 152],
        [71, 221, 137, 230, 210, 153, 192, 115, 30, 118],
        [107, 143, 108, 52, 51, 73, 101, 21, 175, 90],
        [54, 158, 143, 77, 26, 168, 113, 229, 165, 225],
        [9, 47, 133, 135, 130, 207, 236, 43, 19, 73],
        [129, 60, 59, 243, 64, 181, 249, 56, 32, 86],
    ]
)
HALF = [
    [105, 140, 126, 81, 109],
    [110, 134, 153, 114, 93],
    [108, 108, 94, 127, 146],
    [67, 126, 162, 149, 62],
]
THIRD = [[115, 135, 97, 101], [113, 119, 124, 125], [81, 157, 118, 64]]
ENLARGED = [  # by 1.5; the first and last rows
    [116, 187, 237, 171, 94, 61, 135, 191, 187, 75, 91, 142, 140, 124, 108],
    [142, 99, 53, 43, 164, 237, 77, 103, 197, 254, 159, 42, 31, 59, 91],
]


@pytest.mark.parametrize("scale, expected", [(0.5, HALF), (1 / 3, THIRD)])
def test_reduction_gives_matlabs_levels(scale, expected):
    """Only rows before columns, and rounded in between, are all levels the same."""
    reduced = bicubic.resize(LEVELS.astype(np.uint8), scale)
    assert reduced.dtype == np.uint8
    assert reduced.tolist() == expected


def test_enlargement_gives_matlabs_levels_within_one():
    """MATLAB's fixed point rounds two of these thirty the other way."""
    difference = bicubic.resize(LEVELS.astype(np.uint8), 1.5)[[0, -1]].astype(int) - ENLARGED
    assert np.abs(difference).max() <= 1
    assert np.count_nonzero(difference) <= 2


def kernel(x):
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def by_definition(image, scale):
    """The double sum over a mirrored image of any extent, with 1-based pixel centres."""
    height, width = image.shape
    new = math.ceil(round(height * scale, 9)), math.ceil(round(width * scale, 9))
    wide = min(scale, 1.0)
    margin = 40
    around = np.pad(image, margin, mode="symmetric")
    result = np.empty(new)
    for row in range(1, new[0] + 1):
        for column in range(1, new[1] + 1):
            v, u = (p / scale + 0.5 * (1 - 1 / scale) for p in (row, column))
            total = norm = 0.0
            for y in range(1 - margin, height + margin + 1):
                for x in range(1 - margin, width + margin + 1):
                    if max(abs(v - y), abs(u - x)) * wide < 2:
                        weight = kernel(wide * (v - y)) * kernel(wide * (u - x))
                        total += weight * around[y - 1 + margin, x - 1 + margin]
                        norm += weight
            result[row - 1, column - 1] = total / norm
    return result


@pytest.mark.parametrize("scale", [1 / 2, 1 / 3, 1 / 4, 0.7, 2, 3, 4])
def test_equals_the_definition(scale):
    image = np.random.default_rng(1).uniform(0, 255, (9, 12))
    if scale > 1:
        image = image[:4, :3]
    np.testing.assert_allclose(
        bicubic.resize(image, scale), by_definition(image, scale), rtol=0, atol=1e-9
    )


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_single_pixel_and_constants_stay(scale):
    np.testing.assert_allclose(bicubic.enlarge(np.full((1, 1, 3), 7.0), scale), 7.0)
    flat = np.full((scale, 5 * scale, 3), 200, np.uint8)
    assert (bicubic.reduce(flat, scale) == 200).all()


def weight_matrix(length, new_length, scale):
    """The weights of `taps` as a matrix that resizes a line by multiplication."""
    indices, weights = bicubic.taps(length, new_length, scale)
    matrix = np.zeros((new_length, length))
    rows = np.broadcast_to(np.arange(new_length)[:, None], indices.shape)
    np.add.at(matrix, (rows, bicubic.mirrored(indices, length)), weights)
    return matrix


def test_matrices_resize_alike():
    image = np.random.default_rng(2).uniform(0, 255, (24, 36))
    rows, columns = (weight_matrix(side, side // 4, 1 / 4) for side in image.shape)
    np.testing.assert_allclose(rows @ image @ columns.T, bicubic.reduce(image, 4), atol=1e-10)


def test_sixteen_bits_are_cut_off_at_their_ends():
    image = np.zeros((8, 8), np.uint16)
    image[:, 4:] = 65535
    enlarged = bicubic.enlarge(image, 2)
    assert enlarged.dtype == np.uint16
    assert enlarged.min() == 0
    assert enlarged.max() == 65535


def test_reduction_refuses_other_sizes():
    with pytest.raises(ValueError, match="divide by 4"):
        bicubic.reduce(np.zeros((8, 9)), 4)


# Bicubic on Set5 in the tables of Dong et al., 2015 (https://arxiv.org/abs/1501.00092), for
# baby, bird, butterfly, head and woman: the luma is reduced and enlarged.
PAPER = {
    2: [37.07, 36.81, 27.43, 34.86, 32.14],
    3: [33.91, 32.58, 24.04, 32.88, 28.56],
    4: [31.78, 30.18, 22.10, 31.59, 26.46],
}


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_set5_has_the_papers_figures(real_data, scale):
    found = []
    for path in sorted((real_data / "sr_set5").glob("*.png")):
        image = np.asarray(Image.open(path).convert("RGB"))
        height, width = (side // scale * scale for side in image.shape[:2])
        truth = luma(image[:height, :width])
        enlarged = bicubic.enlarge(bicubic.reduce(truth, scale), scale)
        found.append(psnr(*(without_border(x, scale) for x in (np.round(enlarged), truth))))
    np.testing.assert_allclose(found, PAPER[scale], atol=0.06)

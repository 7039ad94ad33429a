"""Bicubic resizing as MATLAB's `imresize` does it: the convention of super-resolution's figures.

Cubic convolution with a = -0.5; when an image shrinks, the kernel is widened by the scale, so that
it also removes what the small image cannot show; beyond the border the image is mirrored; each
dimension has its own weights, and whole-level images are rounded after each.

Reference: [Keys, 1981](https://doi.org/10.1109/TASSP.1981.1163711);
[imresize](https://www.mathworks.com/help/images/ref/imresize.html)
"""

import math

import numpy as np

# Half the width of the kernel, in pixels of the smaller of the two images.
REACH = 2


def cubic(distance: np.ndarray) -> np.ndarray:
    """Keys' kernel with a = -0.5 at distances in pixels, of any shape."""
    x = np.abs(distance)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


def mirrored(indices: np.ndarray, length: int) -> np.ndarray:
    """Indices of a line continued by its mirror image: ... 1 0 | 0 1 2 ... n-1 | n-1 n-2 ..."""
    wrapped = indices % (2 * length)
    return np.minimum(wrapped, 2 * length - 1 - wrapped)


def taps(length: int, new_length: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Which pixels of a line each pixel of the resized line is the weighted sum of.

    Args:
        length: int. Pixels of the line.
        new_length: int. Pixels of the resized line, n.
        scale: float. New size of a pixel, below 1 to shrink.

    Returns:
        indices int (n, taps), not yet mirrored into the line, and weights float64 (n, taps),
        which add up to 1.
    """
    shrink = min(scale, 1.0)
    # The centre of every new pixel on the old line, whose first pixel has its centre at 0.
    centres = (np.arange(new_length) + 0.5) / scale - 0.5
    reach = REACH / shrink
    first = np.floor(centres - reach).astype(np.int64)
    indices = first[:, None] + np.arange(math.ceil(2 * reach) + 2)
    weights = cubic(shrink * (centres[:, None] - indices))
    return indices, weights / weights.sum(axis=1, keepdims=True)


def resize(image: np.ndarray, scale: float) -> np.ndarray:
    """Resizes an image to ceil(scale * side), as `imresize(image, scale)`.

    Args:
        image: array (H, W) or (H, W, C). uint8 and uint16 are rounded and cut off at their ends
            after each dimension; of any other type the result is float64.
        scale: float above 0.

    Returns:
        Array (ceil(scale * H), ceil(scale * W)) or the same with C, of the image's type or float64.
    """
    for axis in (0, 1):
        image = _resize_axis(image, axis, scale)
    return image


def reduce(image: np.ndarray, scale: int) -> np.ndarray:
    """The low-resolution image of a high-resolution one; its sides must divide by `scale`."""
    if any(side % scale for side in image.shape[:2]):
        raise ValueError(f"sides {image.shape[:2]} must divide by {scale}")
    return resize(image, 1 / scale)


def enlarge(image: np.ndarray, scale: int) -> np.ndarray:
    """The enlargement that super-resolution is compared with."""
    return resize(image, float(scale))


def _resize_axis(image: np.ndarray, axis: int, scale: float) -> np.ndarray:
    length = image.shape[axis]
    # 1/3 * 3 is not quite 1: what is meant to be whole must not be rounded up.
    indices, weights = taps(length, math.ceil(round(scale * length, 9)), scale)
    indices = mirrored(indices, length)
    lines = np.moveaxis(image, axis, 0)
    # Tap by tap, so that no array is larger than the result.
    result = 0.0
    for tap in range(indices.shape[1]):
        weight = weights[:, tap].reshape(-1, *[1] * (lines.ndim - 1))
        if weight.any():
            result = result + weight * lines[indices[:, tap]]
    return np.moveaxis(_as_levels(result, image.dtype), 0, axis)


def _as_levels(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Halves are rounded up, as MATLAB does; a last digit lost on the way must not matter."""
    if dtype not in (np.uint8, np.uint16):
        return values
    return np.clip(np.floor(values + (0.5 + 1e-9)), 0, np.iinfo(dtype).max).astype(dtype)

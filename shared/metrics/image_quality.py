"""Quality of images: PSNR and SSIM against the truth, and sharpness.

Figures of super-resolution are on the luma of MATLAB's `rgb2ycbcr`, in 16 to 235, with as many
pixels cut off at each border as the scale has; three other lumas give other figures for the
same images.
"""

import numpy as np
from scipy.ndimage import correlate1d

# ITU-R BT.601 for levels 0 to 255, as MATLAB has it.
LUMA = np.array([65.481, 128.553, 24.966]) / 255.0
SSIM_SIGMA, SSIM_RADIUS = 1.5, 5
SSIM_C1, SSIM_C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def luma(image: np.ndarray) -> np.ndarray:
    """MATLAB's Y of an RGB image: (H, W, 3) in 0..255 to float64 (H, W) in 16..235, not rounded."""
    return image.astype(np.float64) @ LUMA + 16.0


def without_border(image: np.ndarray, border: int) -> np.ndarray:
    """Cuts `border` pixels off each side; (H, W, ...)."""
    return image[border : image.shape[0] - border, border : image.shape[1] - border]


def psnr(image: np.ndarray, truth: np.ndarray) -> float:
    """Peak signal-to-noise ratio of two images in 0..255, in dB; infinite where they are equal."""
    error = np.mean((image.astype(np.float64) - truth.astype(np.float64)) ** 2)
    return float(10 * np.log10(255.0**2 / error)) if error else float("inf")


def ssim(image: np.ndarray, truth: np.ndarray) -> float:
    """Structural similarity of two images in 0..255, the mean over pixels and channels.

    The window is a Gaussian of deviation 1.5 in 11 x 11 pixels, statistics are those of the
    window's whole population, and only windows inside the image count.

    Args:
        image, truth: arrays (H, W) or (H, W, C); sides of at least 11.

    Raises:
        ValueError: if the images are smaller than the window.

    Reference: [Wang et al., 2004](https://doi.org/10.1109/TIP.2003.819861)
    """
    if min(image.shape[:2]) <= 2 * SSIM_RADIUS:
        raise ValueError(f"SSIM needs sides of at least {2 * SSIM_RADIUS + 1} pixels")
    x, y = image.astype(np.float64), truth.astype(np.float64)
    mean_x, mean_y = _blurred(x), _blurred(y)
    variance_x = _blurred(x * x) - mean_x**2
    variance_y = _blurred(y * y) - mean_y**2
    covariance = _blurred(x * y) - mean_x * mean_y
    likeness = (2 * mean_x * mean_y + SSIM_C1) * (2 * covariance + SSIM_C2)
    likeness /= (mean_x**2 + mean_y**2 + SSIM_C1) * (variance_x + variance_y + SSIM_C2)
    return float(without_border(likeness, SSIM_RADIUS).mean())


def _blurred(values: np.ndarray) -> np.ndarray:
    offsets = np.arange(-SSIM_RADIUS, SSIM_RADIUS + 1)
    kernel = np.exp(-0.5 * (offsets / SSIM_SIGMA) ** 2)
    kernel /= kernel.sum()
    return correlate1d(correlate1d(values, kernel, axis=0), kernel, axis=1)


def gradient_energy(image: np.ndarray) -> float:
    """Mean squared difference of neighbouring pixels, right and below: a measure of sharpness.

    Args:
        image: array (H, W) or (H, W, C).
    """
    values = image.astype(np.float64)
    return float(np.mean(np.diff(values, axis=0) ** 2) + np.mean(np.diff(values, axis=1) ** 2))

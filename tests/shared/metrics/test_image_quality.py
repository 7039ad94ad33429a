"""PSNR and SSIM against scikit-image; luma and sharpness against their definitions."""

import numpy as np
import pytest
from skimage import metrics as sk
from skimage.color import rgb2ycbcr

from shared.metrics import image_quality as quality


def pair(shape, seed=0):
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 256, shape)
    noisy = np.clip(truth + generator.integers(-30, 31, shape), 0, 255)
    return noisy.astype(np.uint8), truth.astype(np.uint8)


@pytest.mark.parametrize("shape", [(20, 31), (20, 31, 3)])
def test_psnr_is_scikit_images(shape):
    image, truth = pair(shape)
    expected = sk.peak_signal_noise_ratio(truth, image, data_range=255)
    assert quality.psnr(image, truth) == pytest.approx(expected, abs=1e-10)


def test_equal_images_have_infinite_psnr():
    image, _ = pair((12, 12))
    assert quality.psnr(image, image) == float("inf")


@pytest.mark.parametrize("shape", [(20, 31), (11, 11), (20, 31, 3)])
def test_ssim_is_scikit_images(shape):
    image, truth = pair(shape)
    expected = sk.structural_similarity(
        truth, image, data_range=255, channel_axis=2 if len(shape) == 3 else None,
        gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    )  # fmt: skip
    assert quality.ssim(image, truth) == pytest.approx(expected, abs=1e-9)


def test_ssim_refuses_images_below_its_window():
    with pytest.raises(ValueError, match="11 pixels"):
        quality.ssim(np.zeros((10, 20)), np.zeros((10, 20)))


def test_luma_is_matlabs():
    image, _ = pair((9, 8, 3))
    np.testing.assert_allclose(quality.luma(image), rgb2ycbcr(image)[..., 0], atol=1e-9)
    assert quality.luma(np.full((1, 1, 3), 255)).item() == pytest.approx(235)
    assert quality.luma(np.zeros((1, 1, 3))).item() == 16


def test_border_is_cut_off_all_sides():
    image = np.arange(70).reshape(7, 10)
    assert quality.without_border(image, 2).tolist() == image[2:5, 2:8].tolist()
    assert quality.without_border(image, 0).shape == (7, 10)


def test_gradient_energy_is_the_mean_square_of_differences():
    image = np.array([[0, 3, 3], [0, 3, 7]])
    assert quality.gradient_energy(image) == pytest.approx((0 + 0 + 16) / 3 + (9 + 9 + 16) / 4)

"""The scores of whole images against scikit-image, and the page."""

import io

import numpy as np
import pytest
from PIL import Image
from skimage import metrics as sk
from skimage.color import rgb2ycbcr

from apps.generative.srgan.evaluator import SuperResolutionEvaluator, most_detailed, side_by_side
from shared.image import bicubic

RANDOM = np.random.default_rng(0)


def scene(height, width):
    coarse = Image.fromarray(RANDOM.integers(0, 256, (8, 8, 3), np.uint8))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))


def evaluated(scale=2):
    evaluator = SuperResolutionEvaluator(["x/a.png", "x/b.png"], scale)
    triples = []
    for height, width in ((40, 60), (36, 48)):
        high = scene(height, width)
        low = bicubic.reduce(high, scale)
        made = np.clip(high + RANDOM.integers(-9, 10, high.shape), 0, 255).astype(np.uint8)
        evaluator.update((low[None].astype("float32"), high[None].astype("float32")), made[None])
        triples.append((low, high, made))
    return evaluator, triples


def reference(image, truth, border):
    cut = np.s_[border:-border, border:-border]
    image, truth = image[cut], truth[cut]
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    lumas = [rgb2ycbcr(x)[..., 0] for x in (truth, image)]
    energy = [sum(np.mean(np.diff(y, axis=axis) ** 2) for axis in (0, 1)) for y in lumas]
    return {
        "psnr": sk.peak_signal_noise_ratio(*lumas, data_range=255),
        "ssim": sk.structural_similarity(*lumas, data_range=255, **options),
        "psnr_rgb": sk.peak_signal_noise_ratio(truth, image),
        "ssim_rgb": sk.structural_similarity(truth, image, channel_axis=2, **options),
        "sharpness": energy[1] / energy[0],
    }


@pytest.mark.parametrize("scale", [2, 4])
def test_scores_are_scikit_images_beside_bicubic(scale):
    evaluator, triples = evaluated(scale)
    rows = []
    for low, high, made in triples:
        enlarged = bicubic.enlarge(low, scale)
        rows.append(
            {f"bicubic_{name}": v for name, v in reference(enlarged, high, scale).items()}
            | reference(made, high, scale)
        )
    result = evaluator.result()
    assert set(result) == set(rows[0])
    for name, value in result.items():
        assert value == pytest.approx(np.mean([row[name] for row in rows]), rel=1e-6), name


def test_the_report_has_each_image_and_a_page_with_pictures(tmp_path):
    evaluator, _ = evaluated()
    report = evaluator.report(tmp_path)
    assert list(report["per_image"]) == ["x/a.png", "x/b.png"]
    assert report["per_image"]["x/a.png"]["psnr"] > 25
    page = (tmp_path / "samples" / "comparison.html").read_text()
    assert page.count("data:image/png") == 2
    assert "a.png" in page


def test_equal_images_have_a_finite_mean():
    evaluator = SuperResolutionEvaluator(["a"], 2)
    flat = np.full((1, 30, 30, 3), 9, np.uint8)
    evaluator.update((flat[:, :15, :15].astype("float32"), flat.astype("float32")), flat)
    assert evaluator.result()["psnr"] == 100


def test_the_shown_part_is_the_one_with_most_detail():
    image = np.zeros((300, 300, 3), np.uint8)
    image[200:250, 100:150] = RANDOM.integers(0, 256, (50, 50, 3))
    top, left = most_detailed(image, 96)
    assert top <= 200 <= 250 <= top + 96
    assert left <= 100 <= 150 <= left + 96
    with Image.open(io.BytesIO(side_by_side([image, image, image]))) as row:
        assert row.size == (3 * (3 * 96 + 4), 3 * 96)

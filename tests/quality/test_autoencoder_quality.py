"""Autoencoders on 8,000 digits of MNIST: bounds, noise, sparsity, anomalies. `make quality`."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.testing.app_test import expect_success, kerasuite
from tests.quality.results import write_result

pytestmark = pytest.mark.quality

HELD_OUT = 800  # the last tenth
SHORT_CODE = (
    "--architecture", "conv", "--hidden-dim", "256", "--code", "10", "--epochs", "6",
    "--batch-size", "100", "--learning-rate", "0.002", "--validate-every", "6",
)  # fmt: skip
DATA = "mnist_8k, the last tenth of its files held out"


@pytest.fixture(scope="module")
def digits(real_data) -> list[Path]:
    """The files in the order of their numbers."""
    return sorted((real_data / "mnist_8k" / "train").glob("*/*.png"), key=lambda path: path.stem)


def write_split(files: list[Path], folder: Path, without: str = "") -> list[str]:
    """Links `train/DIGIT/*` and `val/DIGIT/*`, one digit left out of both; returns DATA."""
    for index, path in enumerate(files):
        part = "train" if index < len(files) - HELD_OUT else "val"
        if path.parent.name != without:
            target = folder / part / path.parent.name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path.resolve())
    return [str(folder)]


def write_binarized(files: list[Path], folder: Path, seed: int = 0) -> list[str]:
    """The same, each pixel drawn once: white with its level as the probability."""
    generator = np.random.default_rng(seed)
    for index, path in enumerate(files):
        part = "train" if index < len(files) - HELD_OUT else "val"
        target = folder / part / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        levels = np.asarray(Image.open(path)) / 255.0
        drawn = generator.random(levels.shape) < levels
        Image.fromarray(np.uint8(drawn) * 255).save(target)
    return [str(folder)]


def trained(data, run, *options):
    """Metrics and time of a training."""
    started = time.perf_counter()
    expect_success(kerasuite("autoencoder", "train", *data, *options, "--output", run))
    metrics = json.loads((run / "metrics.json").read_text())
    print(f"\n{options}: {metrics}")
    return metrics, time.perf_counter() - started


def test_variational(digits, tmp_path):
    """The importance-weighted bound of 100 samples on binarised digits."""
    data = write_binarized(digits, tmp_path / "binarized")
    metrics, seconds = trained(data, tmp_path / "run", "--preset", "vae")
    nats = -metrics["importance_weighted_bound"]
    write_result(
        "autoencoder-mnist-vae", "kerasuite autoencoder train mnist --preset vae",
        f"{DATA}, binarised once", "nats a picture (bound of 100 samples; ELBO)",
        f"{nats:.1f}; {-metrics['elbo']:.1f}", seconds,
    )  # fmt: skip
    assert nats <= 110
    assert -metrics["elbo"] >= nats


def test_denoising(digits, tmp_path):
    """The gain over the noisy input, in dB."""
    data = write_split(digits, tmp_path / "digits")
    metrics, seconds = trained(data, tmp_path / "run", "--preset", "denoising")
    write_result(
        "autoencoder-mnist-denoising", "kerasuite autoencoder train mnist --preset denoising",
        DATA, "PSNR (of the noisy input)",
        f"{metrics['psnr']:.1f} dB ({metrics['noisy_psnr']:.1f} dB)", seconds,
    )  # fmt: skip
    assert metrics["psnr"] >= metrics["noisy_psnr"] + 4


def test_sparse(digits, tmp_path):
    """The mean activation beside its target."""
    data = write_split(digits, tmp_path / "digits")
    metrics, seconds = trained(data, tmp_path / "run", "--preset", "sparse")
    write_result(
        "autoencoder-mnist-sparse", "kerasuite autoencoder train mnist --preset sparse",
        DATA, "mean activation (target 0.05); PSNR",
        f"{metrics['mean_activation']:.4f}; {metrics['psnr']:.1f} dB", seconds,
    )  # fmt: skip
    assert metrics["mean_activation"] == pytest.approx(0.05, rel=0.2)


def test_a_digit_that_was_left_out_is_found_by_its_error(digits, tmp_path):
    """AUROC of the left-out digit's pictures against the held-out ones of the nine others."""
    found, seconds = {}, 0.0
    for digit in map(str, range(10)):
        data = write_split(digits, tmp_path / digit / "digits", without=digit)
        anomalies = tmp_path / digit / "anomalies"
        anomalies.mkdir()
        for path in digits[-HELD_OUT:]:
            if path.parent.name == digit:
                (anomalies / path.name).symlink_to(path.resolve())
        options = (*SHORT_CODE, "--anomalies", anomalies)
        metrics, taken = trained(data, tmp_path / digit / "run", *options)
        found[digit], seconds = metrics["anomaly_auroc"], seconds + taken
    print("\nAUROC of the digit left out:", {d: round(a, 3) for d, a in found.items()})
    worst, best = min(found, key=found.get), max(found, key=found.get)
    write_result(
        "autoencoder-mnist-anomalies",
        f"kerasuite autoencoder train mnist {' '.join(SHORT_CODE)} --anomalies left-out",
        f"{DATA}; ten trainings, each without one digit",
        "AUROC of its error: mean; lowest, highest",
        f"{np.mean(list(found.values())):.3f}; {found[worst]:.3f} (digit {worst}), "
        f"{found[best]:.3f} (digit {best})",
        seconds,
    )  # fmt: skip
    # A 1 has so few white pixels that its error is small even where no 1 was seen.
    assert np.mean(list(found.values())) >= 0.75

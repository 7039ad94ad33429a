"""Adversarial losses against the papers' formulas in NumPy."""

import numpy as np
import pytest

from shared.losses.adversarial_loss import discriminator_loss, generator_loss

RANDOM = np.random.default_rng(0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# Kind to (loss of the generator, loss of the discriminator).
FORMULAS = {
    "vanilla": (
        lambda fake: np.log(1 - sigmoid(fake)).mean(),
        lambda real, fake: -np.log(sigmoid(real)).mean() - np.log(1 - sigmoid(fake)).mean(),
    ),
    "non-saturating": (
        lambda fake: -np.log(sigmoid(fake)).mean(),
        lambda real, fake: -np.log(sigmoid(real)).mean() - np.log(1 - sigmoid(fake)).mean(),
    ),
    "least-squares": (
        lambda fake: ((fake - 1) ** 2).mean(),
        lambda real, fake: ((real - 1) ** 2).mean() + (fake**2).mean(),
    ),
    "hinge": (
        lambda fake: -fake.mean(),
        lambda real, fake: np.maximum(0, 1 - real).mean() + np.maximum(0, 1 + fake).mean(),
    ),
    "wasserstein": (
        lambda fake: -fake.mean(),
        lambda real, fake: fake.mean() - real.mean(),
    ),
}


@pytest.mark.parametrize("kind", FORMULAS)
def test_losses_are_the_papers(kind):
    real, fake = RANDOM.normal(size=(2, 50, 1)).astype("float32") * 2
    of_generator, of_discriminator = FORMULAS[kind]
    assert float(generator_loss(kind, fake)) == pytest.approx(of_generator(fake), rel=1e-5)
    expected = of_discriminator(real, fake)
    assert float(discriminator_loss(kind, real, fake)) == pytest.approx(expected, rel=1e-5)


def test_large_logits_stay_finite():
    large = np.array([[-1e4], [1e4]], "float32")
    for kind in ("vanilla", "non-saturating", "hinge"):
        assert np.isfinite(float(generator_loss(kind, large)))
        assert np.isfinite(float(discriminator_loss(kind, large, large)))

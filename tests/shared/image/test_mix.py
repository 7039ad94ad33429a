"""MixUp and CutMix by brute force over every pair of examples."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from shared.image.mix import beta, cutmix, mixup, mixup_or_cutmix

BATCH, CLASSES = 12, 12


def batch():
    """Every example has one colour and one class of its own."""
    images = np.ones((BATCH, 10, 14, 3), np.float32) * np.arange(BATCH).reshape(-1, 1, 1, 1) * 20
    images = images.astype(np.float32)
    return images, np.eye(CLASSES, dtype=np.float32)


MIXERS = {
    "mixup": lambda images, labels, seed: mixup(images, labels, seed, 0.4),
    "cutmix": lambda images, labels, seed: cutmix(images, labels, seed, 1.0),
    "either": mixup_or_cutmix,
}


@pytest.mark.parametrize("name", MIXERS)
def test_seed_decides_alone_and_labels_stay_distributions(name):
    images, labels = batch()
    mixed, mixed_labels = MIXERS[name](images, labels, (4, 5))
    again, again_labels = MIXERS[name](images, labels, (4, 5))
    np.testing.assert_array_equal(mixed, again)
    np.testing.assert_array_equal(mixed_labels, again_labels)
    other, _ = MIXERS[name](images, labels, (4, 6))
    assert (other.numpy() != mixed.numpy()).any()
    assert mixed.shape == images.shape and mixed_labels.shape == labels.shape
    np.testing.assert_allclose(mixed_labels.numpy().sum(axis=1), 1, atol=1e-6)
    assert mixed_labels.numpy().min() >= 0


@pytest.mark.parametrize("name", MIXERS)
def test_labels_weigh_what_the_pixels_show(name):
    images, labels = batch()
    graph = tf.function(MIXERS[name])
    for seed in range(20):
        mixed, mixed_labels = graph(images, labels, tf.constant((seed, 1)))
        # A colour is 20 times its class: the mean colour tells the mixture.
        expected = mixed_labels.numpy() @ (20.0 * np.arange(CLASSES))
        np.testing.assert_allclose(mixed.numpy().mean(axis=(1, 2, 3)), expected, atol=1e-2)


def test_mixup_blends_whole_images_with_a_permutation_of_the_batch():
    images, labels = batch()
    mixed, mixed_labels = mixup(images, labels, (1, 1), alpha=0.8)
    partners = []
    for index, (image, label) in enumerate(zip(mixed.numpy(), mixed_labels.numpy(), strict=True)):
        others = [n for n in np.nonzero(label)[0] if n != index]
        partners.append(others[0] if others else index)
        weight = label[index]
        blend = weight * images[index] + (1 - weight) * images[partners[-1]]
        np.testing.assert_allclose(image, blend, atol=1e-3)
    assert sorted(partners) == list(range(BATCH))
    assert len(np.unique(mixed_labels.numpy().diagonal().round(4))) > BATCH // 2


def test_cutmix_pastes_one_rectangle_and_counts_it_after_clipping():
    images, labels = batch()
    seen = []
    for seed in range(20):
        mixed, mixed_labels = cutmix(images, labels, (seed, 2))
        for index, image in enumerate(mixed.numpy()[..., 0]):
            pasted = image != 20.0 * index
            if not pasted.any():
                continue
            rows, columns = np.nonzero(pasted)
            assert pasted[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].all()
            partner = int(image[rows[0], columns[0]] // 20)
            assert (image[pasted] == 20.0 * partner).all()
            np.testing.assert_allclose(mixed_labels[index, partner], pasted.mean(), atol=1e-6)
            seen.append(pasted.mean())
    assert min(seen) < 0.1 and max(seen) > 0.7


@pytest.mark.parametrize("alpha", [0.2, 1.0, 5.0])
def test_weights_follow_the_beta_distribution(alpha):
    draws = beta((4000,), (3, 3), alpha).numpy()
    assert stats.kstest(draws, stats.beta(alpha, alpha).cdf).pvalue > 1e-3


def test_tiny_alpha_gives_no_nan():
    draws = beta((5000,), (0, 1), 0.01).numpy()
    assert np.isfinite(draws).all() and 0.4 < draws.mean() < 0.6


@pytest.mark.parametrize("name", MIXERS)
def test_a_batch_of_one_mixes_with_itself(name):
    images, labels = np.full((1, 4, 4, 3), 50, np.float32), np.eye(1, 3, dtype=np.float32)
    mixed, mixed_labels = MIXERS[name](images, labels, (0, 0))
    np.testing.assert_allclose(mixed, images, rtol=1e-6)
    np.testing.assert_allclose(mixed_labels, labels)


def test_either_uses_both():
    images, labels = batch()
    graph = tf.function(mixup_or_cutmix)
    # Only MixUp makes colours that are no multiple of 20.
    is_blended = [
        (np.abs(graph(images, labels, tf.constant((seed, 0)))[0].numpy() % 20.0) > 0.01).any()
        for seed in range(40)
    ]
    assert 0.25 < np.mean(is_blended) < 0.75

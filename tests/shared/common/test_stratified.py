"""Iterative stratification: shares of every label, rare labels, no randomness but the seed."""

import numpy as np

from shared.common.stratified import stratified_parts


def targets():
    return np.random.default_rng(0).random((300, 4)) < [0.5, 0.2, 0.05, 0.02]


def test_every_label_keeps_its_share():
    """Within one example, where a random split of the rarest may be off by all of them."""
    labels = targets()
    parts = stratified_parts(labels, [0.8, 0.2], seed=1)
    assert np.bincount(parts).tolist() == [240, 60]
    counts = labels[parts == 1].sum(axis=0)
    np.testing.assert_allclose(counts, 0.2 * labels.sum(axis=0), atol=1.0)


def test_folds_cover_everything_and_depend_on_the_seed_only():
    labels = targets()
    parts = stratified_parts(labels, [0.2] * 5, seed=1)
    np.testing.assert_allclose(np.bincount(parts), 60, atol=2)
    assert np.array_equal(parts, stratified_parts(labels, [0.2] * 5, seed=1))
    assert not np.array_equal(parts, stratified_parts(labels, [0.2] * 5, seed=2))


def test_rare_labels():
    labels = np.zeros((20, 2))
    labels[3, 0] = labels[[4, 9], 1] = 1
    parts = stratified_parts(labels, [0.9, 0.1], seed=0)
    assert parts[3] == 0 and (parts == 1).sum() == 2
    first, second = stratified_parts(labels, [0.5, 0.5], seed=0)[[4, 9]]
    assert first != second

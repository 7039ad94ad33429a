"""Vectors in two dimensions."""

import numpy as np
from sklearn.decomposition import PCA

from shared.report.projection import project


def test_pca_equals_scikit_learn():
    rows = np.random.default_rng(0).normal(size=(80, 10))
    truth = PCA(2).fit_transform(rows)
    np.testing.assert_allclose(np.abs(project(rows)), np.abs(truth), atol=1e-4)


def test_few_rows_and_numbers_are_filled_up_with_zeros():
    points = project(np.array([[1.0], [3.0], [2.0]]))
    assert points.shape == (3, 2)
    np.testing.assert_array_equal(points[:, 1], 0)

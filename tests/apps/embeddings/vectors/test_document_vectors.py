"""Document vectors against their definition and scikit-learn."""

import numpy as np
from sklearn.decomposition import TruncatedSVD

from apps.embeddings.vectors.document_vectors import (
    first_component,
    rank,
    remove_first_component,
    sif_weights,
)


def test_sif_weights():
    weights = sif_weights(np.array([50, 30, 10, 5, 5]), a=0.01)
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights, [0.01 / (0.01 + p) for p in (0.5, 0.3, 0.1, 0.05, 0.05)])


def test_first_component_equals_scikit_learn():
    rows = np.random.default_rng(1).normal(1, 1, (22, 4)).astype(np.float32)
    rows[-2:] = 0
    svd = TruncatedSVD(1, n_iter=20, random_state=0).fit(rows)
    truth = rows - svd.transform(rows) @ svd.components_
    found = remove_first_component(rows)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, truth, atol=1e-5)


def test_zeros():
    assert not first_component(np.zeros((3, 4))).any()
    assert not remove_first_component(np.zeros((3, 4), np.float32)).any()


def test_rank():
    ranked = rank(np.array([2.0, 0.0]), np.array([[0, 1], [3, 0], [0, 0], [1, 1], [-1, 0]]))
    assert [index for index, _ in ranked] == [1, 3, 0, 2, 4]
    np.testing.assert_allclose([s for _, s in ranked], [1, 0.5**0.5, 0, 0, -1], atol=1e-6)
    assert len(rank(np.ones(2), np.ones((5, 2)), k=3)) == 3

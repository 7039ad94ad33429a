"""FID and KID against the papers' formulas, and their networks."""

import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf

from shared.common.errors import KerasuiteError
from shared.metrics.feature_distances import FeatureNetwork, frechet_distance, kernel_distance

RANDOM = np.random.default_rng(0)


def test_frechet_distance_is_the_papers_formula():
    real, fake = RANDOM.normal(size=(50, 6)), RANDOM.normal(1.0, 2.0, size=(40, 6))
    one, two = np.cov(real, rowvar=False), np.cov(fake, rowvar=False)
    root = scipy.linalg.sqrtm(one @ two).real
    means = real.mean(axis=0) - fake.mean(axis=0)
    expected = means @ means + np.trace(one + two - 2 * root)
    assert frechet_distance(real, fake) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(real, real) == pytest.approx(0.0, abs=1e-6)
    # Fewer pictures than features: the covariance has no full rank.
    few = RANDOM.normal(size=(4, 6))
    assert frechet_distance(few, few) == pytest.approx(0.0, abs=1e-6)


def test_kernel_distance_is_the_papers_formula():
    real, fake = RANDOM.normal(size=(9, 5)), RANDOM.normal(0.5, 1.0, size=(7, 5))

    def kernel(x, y):
        return (x @ y / 5 + 1) ** 3

    def pairs(rows):
        return np.mean([kernel(x, y) for i, x in enumerate(rows) for j, y in enumerate(rows)
                        if i != j])  # fmt: skip

    across = np.mean([kernel(x, y) for x in real for y in fake])
    expected = pairs(real) + pairs(fake) - 2 * across
    assert kernel_distance(real, fake) == pytest.approx(expected, rel=1e-9)


def test_feature_network_with_a_weights_file(tmp_path):
    """The smallest of keras.applications, with random weights in a file."""
    import keras

    model = keras.applications.MobileNet(include_top=False, weights=None, pooling="avg")
    path = tmp_path / "mobilenet.weights.h5"
    model.save_weights(path)
    pictures = RANDOM.integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    features = FeatureNetwork("keras:MobileNet", str(path))(pictures)
    resized = tf.image.resize(pictures.astype("float32"), (224, 224), antialias=True)
    expected = model(resized / 127.5 - 1.0)
    np.testing.assert_allclose(features, expected, atol=1e-4)


@pytest.mark.parametrize("name", ["keras:Nothing", "InceptionV3", "keras:clear_session"])
def test_unknown_feature_network(name):
    with pytest.raises(KerasuiteError, match="--features"):
        FeatureNetwork(name)


def test_missing_weights_are_said_clearly():
    with pytest.raises(KerasuiteError, match=r"--features keras:MobileNet.*--feature-weights"):
        FeatureNetwork("keras:MobileNet", "nowhere.weights.h5")

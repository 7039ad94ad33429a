"""The classifier that judges generated pictures."""

import numpy as np
import pytest
import tensorflow as tf

from shared.metrics.picture_classifier import PictureClassifier

RANDOM = np.random.default_rng(0)


def pictures(label: int, count: int) -> np.ndarray:
    """Noise that is brighter in each next class."""
    return RANDOM.integers(80 * label, 80 * label + 90, (count, 32, 32, 3), dtype=np.uint8)


@pytest.mark.parametrize("classes", [2, 3])
def test_learns_the_classes_and_is_kept(tmp_path, classes):
    calls = []

    def training_data():
        calls.append(1)
        images = np.concatenate([pictures(label, 8) for label in range(classes)])
        labels = np.repeat(np.arange(classes), 8)
        data = (images.astype("float32") / 127.5 - 1, labels)
        return tf.data.Dataset.from_tensors(data).repeat()

    path = tmp_path / "judge.keras"
    judge = PictureClassifier(path, training_data, classes, steps=40, seed=1)
    for label in range(classes):
        assert (judge.classes_of(pictures(label, 70)) == label).all()
    kept = PictureClassifier(path, training_data, classes, steps=40, seed=1)
    brightest = pictures(classes - 1, 5)
    probabilities = kept.probabilities(brightest)
    assert probabilities.shape == (5, classes)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    assert (probabilities.argmax(axis=1) == classes - 1).all()
    assert kept.features(brightest).shape == (5, 128)
    assert len(calls) == 1

"""Measures of samples on pictures that are known: classes, collapse, copies."""

import numpy as np
import pytest
from PIL import Image

from apps.generative.gan.evaluator import GANEvaluator, RealPictures, distances, entropy
from shared.metrics.feature_distances import frechet_distance
from shared.metrics.nearest import nearest

RANDOM = np.random.default_rng(0)
NAMES = ["dark", "grey", "bright"]


class LevelJudge:
    """Takes the class from the level of a picture; sure of the last one only."""

    def probabilities(self, pictures):
        level = pictures.reshape(len(pictures), -1).mean(axis=1) // 86
        sure = np.where(level == 2, 0.95, 0.8)
        found = np.full((len(pictures), 3), ((1 - sure) / 2)[:, np.newaxis])
        found[np.arange(len(pictures)), level.astype(int)] = sure
        return found

    def features(self, pictures):
        return pictures.reshape(len(pictures), -1)[:, :2].astype(float)


def of_class(label, count):
    return RANDOM.integers(86 * label, 86 * label + 80, (count, 8, 8, 1), dtype=np.uint8)


def evaluated(samples, tmp_path, conditional=False, judge=True):
    real = RealPictures(
        np.concatenate([of_class(label, 20) for label in range(3)]), np.repeat(np.arange(3), 20)
    )
    held_out = np.arange(60) % 10 == 0
    judged = (LevelJudge(), held_out) if judge else None
    evaluator = GANEvaluator(len(samples), lambda: real, NAMES, judged, conditional=conditional)
    for begin in range(0, len(samples), 7):
        evaluator.update((None,), samples[begin : begin + 7])
    evaluator.update((None,), of_class(0, 16))  # The walks.
    return evaluator.result() | evaluator.report(tmp_path)


def test_samples_of_all_classes(tmp_path):
    samples = np.stack([of_class(seed % 3, 1)[0] for seed in range(1, 31)])
    found = evaluated(samples, tmp_path, conditional=True)
    assert (found["classes"], found["classes_covered"]) == (3, 3)
    assert found["class_entropy"] == pytest.approx(np.log(3))
    assert found["right_class"] == found["judge_accuracy"] == 1.0
    assert found["sure"] == found["sure_real"] == pytest.approx(1 / 3)
    assert found["copies"] < 0.1
    assert found["remarks"] == []
    assert found["diversity"] == pytest.approx(found["diversity_real"], rel=0.1)
    for name in ("samples", "real", "walks", "nearest"):
        with Image.open(tmp_path / "samples" / f"{name}.png") as grid:
            assert grid.mode == "L"


def test_collapse_onto_a_class_is_said(tmp_path):
    found = evaluated(of_class(1, 30), tmp_path)
    assert found["classes_covered"] == 1
    assert found["missing_classes"] == ["dark", "bright"]
    assert found["class_entropy"] == 0.0
    first, second = found["remarks"]
    assert "2 of 3 classes are missing" in first and "dark, bright" in first
    assert second.startswith("Mode collapse: the samples differ by")


def test_copies_are_said(tmp_path):
    real = of_class(1, 40)
    evaluator = GANEvaluator(20, lambda: RealPictures(real))
    evaluator.update((None,), np.concatenate([real[:15], of_class(1, 5)]))
    found = evaluator.report(tmp_path)
    assert found["copies"] == 0.75
    assert found["remarks"] == [
        "Copies: 75% of the samples are as near to a training picture as the nearest 1 % of "
        "these are to one another."
    ]
    assert "classes_covered" not in found


def test_nearest_is_that_of_all_pairs():
    some, others = (RANDOM.integers(0, 256, (n, 4, 4, 3), np.uint8) for n in (300, 530))

    def rms(one, other):
        return np.sqrt(((one.astype(float) - other) ** 2).mean())

    apart, index = nearest(some, others)
    for row in (0, 255, 256, 299):
        expected = [rms(some[row], other) for other in others]
        assert index[row] == np.argmin(expected)
        assert apart[row] == pytest.approx(min(expected))
    between, _ = nearest(others, others, same=True)
    expected = [rms(others[300], other) for i, other in enumerate(others) if i != 300]
    assert between[300] == pytest.approx(min(expected))


def test_distances_are_between_sets_of_one_size():
    samples, real = RANDOM.normal(size=(30, 4)), RANDOM.normal(size=(50, 4))
    found = distances("frechet", samples, real)
    assert found["frechet"] == frechet_distance(real[:25], samples[:25])
    assert found["frechet_real"] == frechet_distance(real[:25], real[25:])
    assert distances("frechet", samples, real[:3]) == {}


def test_entropy_of_shares():
    assert entropy(np.array([0.5, 0.5, 0.0])) == pytest.approx(np.log(2))

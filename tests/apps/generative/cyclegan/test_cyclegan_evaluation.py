"""Judging translations: L1 sums, the domain classifier, FID and KID, pages."""

import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf
from PIL import Image

from apps.generative.cyclegan.domain_classifier import DomainJudge
from apps.generative.cyclegan.evaluator import CycleGANEvaluator
from apps.generative.cyclegan.feature_distances import (
    FeatureNetwork,
    frechet_distance,
    kernel_distance,
)
from shared.common.errors import KerasuiteError

RANDOM = np.random.default_rng(0)


def outputs(rows, has_a, has_b, seed):
    """Outputs as the model's `predictions` gives them, with levels that tell pictures apart."""
    generator = np.random.default_rng(seed)
    found = {"has_a": np.array(has_a), "has_b": np.array(has_b)}
    for name in ("real", "fake", "cycled", "same"):
        for side in ("a", "b"):
            found[f"{name}_{side}"] = generator.integers(0, 256, (rows, 8, 8, 3), dtype=np.uint8)
    for measure in ("cycle_l1", "identity_l1"):
        for side in ("a", "b"):
            found[f"{measure}_{side}"] = generator.random(rows, np.float32)
    return found


def filled(judge=None, features=None):
    """Five images of A, three of B in two batches."""
    paths = {"a": [f"a{i}.png" for i in range(5)], "b": [f"b{i}.png" for i in range(3)]}
    evaluator = CycleGANEvaluator(paths, judge, features)
    batches = [
        outputs(3, [True] * 3, [True] * 3, seed=1),
        outputs(2, [True] * 2, [False] * 2, seed=2),
    ]
    for batch in batches:
        evaluator.update((None,), batch)
    return evaluator, batches


def test_errors_are_means_over_each_domain_then_over_both():
    evaluator, (first, second) = filled()
    result = evaluator.result()
    for measure in ("cycle_l1", "identity_l1"):
        of_a = np.concatenate([first[f"{measure}_a"], second[f"{measure}_a"]]).mean()
        of_b = first[f"{measure}_b"].mean()
        assert result[f"{measure}_a"] == pytest.approx(of_a)
        assert result[f"{measure}_b"] == pytest.approx(of_b)
        assert result[measure] == pytest.approx((of_a + of_b) / 2)


def test_pictures_follow_the_image_that_they_were_made_of():
    evaluator, (first, second) = filled()
    pictures = evaluator.pictures()
    of_a = ("real_a", "fake_b", "cycled_a", "same_a")
    assert {name: len(values) for name, values in pictures.items()} == {
        name: 5 if name in of_a else 3 for name in pictures
    }
    np.testing.assert_array_equal(pictures["fake_b"][3:], second["fake_b"])
    np.testing.assert_array_equal(pictures["fake_a"], first["fake_a"])


def test_shares_before_and_after(tmp_path):
    """A judge that looks at one pixel."""
    evaluator, (first, second) = filled(judge=lambda images: images[:, 0, 0, 0] > 99)
    report = evaluator.report(tmp_path)
    level = {name: np.concatenate([first[name], second[name]])[:, 0, 0, 0] for name in first
             if "_l1" not in name and not name.startswith("has")}  # fmt: skip
    for name in ("real_b", "fake_a"):
        level[name] = level[name][:3]
    is_b = {name: values > 99 for name, values in level.items()}
    assert report["a2b_taken_before"] == pytest.approx(is_b["real_a"].mean())
    assert report["a2b_taken"] == pytest.approx(is_b["fake_b"].mean())
    assert report["b2a_taken_before"] == pytest.approx((~is_b["real_b"]).mean())
    assert report["b2a_taken"] == pytest.approx((~is_b["fake_a"]).mean())
    right = ((~is_b["real_a"]).mean() + is_b["real_b"].mean()) / 2
    assert report["judge_accuracy"] == pytest.approx(right)


def test_page_and_grid_are_written(tmp_path):
    evaluator, _ = filled()
    evaluator.after_epoch(tmp_path, 3)
    assert evaluator.report(tmp_path) == {}
    with Image.open(tmp_path / "samples/epoch-0003.png") as grid:
        assert grid.size[0] > 400
    page = (tmp_path / "samples/gallery.html").read_text()
    assert page.count("<img") == 8
    assert "a4.png" in page
    assert "b2.png" in page


def domain_batches():
    """Dark pictures against bright ones."""
    generator = np.random.default_rng(0)
    while True:
        a, b = (
            generator.uniform(-1, 0.2, (8, 32, 32, 3)),
            generator.uniform(-0.2, 1, (8, 32, 32, 3)),
        )
        yield {"a": a.astype("float32"), "b": b.astype("float32")}


def test_judge_learns_the_domains_and_is_kept(tmp_path):
    spec = {name: tf.TensorSpec((None, 32, 32, 3), tf.float32) for name in ("a", "b")}
    calls = []

    def training_data():
        calls.append(1)
        return tf.data.Dataset.from_generator(domain_batches, output_signature=spec)

    path = tmp_path / "judge.keras"
    dark = RANDOM.integers(0, 153, (70, 32, 32, 3), dtype=np.uint8)
    bright = RANDOM.integers(102, 256, (70, 32, 32, 3), dtype=np.uint8)
    judge = DomainJudge(path, training_data, steps=40, seed=1)
    assert not judge.is_b(dark).any()
    assert judge.is_b(bright).all()
    kept = DomainJudge(path, training_data, steps=40, seed=1)
    assert kept.is_b(bright).all()
    assert len(calls) == 1


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

"""Judging translations: L1 sums, shares of a judge, pages."""

import numpy as np
import pytest
from PIL import Image

from apps.generative.cyclegan.evaluator import CycleGANEvaluator


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

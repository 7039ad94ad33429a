"""GLUE's metrics against their definitions."""

import numpy as np
import pytest

from apps.bert.metrics.glue import class_metrics, score_metrics


def test_two_classes():
    """By hand: 3 true positives, 1 false positive, 2 false negatives, 4 true negatives."""
    labels = np.array([1, 1, 1, 0, 1, 1, 0, 0, 0, 0])
    predicted = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
    metrics = class_metrics(labels, predicted, 2)
    assert metrics["accuracy"] == pytest.approx(0.7)
    assert metrics["f1"] == pytest.approx(2 * 3 / (2 * 3 + 1 + 2))
    expected = (3 * 4 - 1 * 2) / np.sqrt(4 * 5 * 5 * 6)
    assert metrics["matthews"] == pytest.approx(expected)


def test_more_classes():
    labels, predicted = np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 2, 2, 0])
    f1s = [2 * 1 / (2 + 2), 2 * 1 / (1 + 2), 2 * 2 / (3 + 2), 0]
    assert class_metrics(labels, predicted, 4)["f1"] == pytest.approx(np.mean(f1s))
    assert class_metrics(labels, predicted, 3)["f1"] == pytest.approx(np.mean(f1s[:3]))


def test_constant_predictions_give_numbers():
    metrics = class_metrics(np.array([0, 1, 1]), np.array([0, 0, 0]), 2)
    assert metrics == {"accuracy": pytest.approx(1 / 3), "f1": 0.0, "matthews": 0.0}
    metrics = score_metrics(np.array([0.0, 1.0]), np.array([2.0, 2.0]))
    assert metrics == {"pearson": 0, "spearman": 0, "pearson_spearman": 0, "mse": 2.5}
    assert score_metrics(np.array([1.0]), np.array([1.0]))["pearson"] == 0


def test_scores():
    generator = np.random.default_rng(0)
    scores = generator.normal(size=50)
    predicted = scores + generator.normal(size=50)
    metrics = score_metrics(scores, predicted)
    expected = np.corrcoef(scores, predicted)[0, 1]
    ranks = [np.argsort(np.argsort(values)) for values in (scores, predicted)]
    assert metrics["pearson"] == pytest.approx(expected)
    assert metrics["spearman"] == pytest.approx(np.corrcoef(*ranks)[0, 1])
    assert metrics["pearson_spearman"] == pytest.approx(
        (metrics["pearson"] + metrics["spearman"]) / 2
    )
    assert metrics["mse"] == pytest.approx(np.mean((scores - predicted) ** 2))

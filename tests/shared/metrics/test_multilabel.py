"""Metrics of several labels against scikit-learn, thresholds against every possible one."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, average_precision_score, f1_score
from sklearn.utils.class_weight import compute_class_weight

from shared.metrics.multilabel import (
    average_precision,
    best_thresholds,
    label_scores,
    multi_hot,
    multilabel_metrics,
    positive_weights,
    present,
    prior_logits,
    sigmoid,
)


@pytest.fixture
def answers():
    """Targets and probabilities of 200 examples and 5 labels, with equal probabilities."""
    generator = np.random.default_rng(3)
    targets = generator.random((200, 5)) < [0.5, 0.3, 0.1, 0.05, 0.9]
    probabilities = (generator.random((200, 5)) + targets).round(1) / 2
    return targets.astype(np.float32), probabilities


def test_metrics_equal_scikit_learns(answers):
    targets, probabilities = answers
    thresholds = np.array([0.5, 0.4, 0.6, 0.55, 0.3])
    found = probabilities >= thresholds
    metrics = multilabel_metrics(targets, probabilities, thresholds)
    assert metrics == pytest.approx(
        {
            "mean_average_precision": average_precision_score(targets, probabilities),
            "f1_macro": f1_score(targets, found, average="macro"),
            "f1_micro": f1_score(targets, found, average="micro"),
            "exact_match": accuracy_score(targets, found),
        }
    )
    by_label = [score["f1"] for score in label_scores(targets, probabilities, thresholds)]
    assert by_label == pytest.approx(f1_score(targets, found, average=None).tolist())


def test_labels_without_examples_are_left_out_of_the_means():
    targets = np.array([[1, 0], [0, 0]])
    metrics = multilabel_metrics(targets, np.array([[0.9, 0.8], [0.1, 0.2]]), np.full(2, 0.5))
    assert metrics["mean_average_precision"] == metrics["f1_macro"] == 1.0
    assert metrics["f1_micro"] == pytest.approx(2 / 3) and metrics["exact_match"] == 0.5
    _, absent = label_scores(targets, np.array([[0.9, 0.8], [0.1, 0.2]]), np.full(2, 0.5))
    assert absent["f1"] is None and absent["support"] == 0
    assert np.isnan(average_precision(targets[:, 1] > 0, np.zeros(2)))


def test_nothing_predicted_is_zero():
    metrics = multilabel_metrics(np.ones((2, 1)), np.zeros((2, 1)), np.full(1, 0.5))
    assert metrics["f1_macro"] == metrics["f1_micro"] == metrics["exact_match"] == 0.0


def test_thresholds_are_the_best_of_all(answers):
    targets, probabilities = answers
    chosen = best_thresholds(targets, probabilities)
    for label, threshold in enumerate(chosen):
        column = probabilities[:, label]

        def score(threshold, column=column, label=label):
            return f1_score(targets[:, label], column >= threshold, zero_division=0)

        best = max(score(candidate) for candidate in np.linspace(0, 1.05, 500))
        assert score(threshold) == pytest.approx(best)
        # Halfway between two probabilities: rounding changes no answer.
        assert np.abs(column - threshold).min() > 0.01
    # The only example with the label is ranked last of thirty.
    last = best_thresholds(np.eye(30)[:, -1:], np.linspace(0.3, 0.01, 30)[:, None])
    assert last.tolist() == [0.3]
    none = best_thresholds(np.zeros((4, 1)), np.ones((4, 1)))
    assert none.tolist() == [0.5]
    assert best_thresholds(np.ones((4, 1)), np.full((4, 1), 0.4)).tolist() == [0.2]


def test_balanced_weights_are_the_ratio_of_scikit_learns(answers):
    targets, _ = answers
    for label, weight in enumerate(positive_weights(targets)):
        absent, there = compute_class_weight(
            "balanced", classes=np.array([0, 1]), y=targets[:, label].astype(int)
        )
        assert weight == pytest.approx(there / absent)
    assert np.all(np.isfinite(positive_weights(np.array([[0, 1], [0, 1]]))))


def test_an_untrained_network_predicts_the_shares_of_labels(answers):
    targets, _ = answers
    np.testing.assert_allclose(sigmoid(prior_logits(targets)), targets.mean(axis=0), atol=0.01)
    assert np.all(np.isfinite(prior_logits(np.array([[0, 1], [0, 1]]))))


def test_multi_hot_and_sigmoid():
    assert multi_hot([("b",), (), ("a", "b")], ["a", "b"]).tolist() == [[0, 1], [0, 0], [1, 1]]
    np.testing.assert_allclose(sigmoid([-1000, 0, 1000]), [0, 0.5, 1])
    assert present(np.array([[0.5, 0.4]]), np.array([0.5, 0.5])).tolist() == [[True, False]]

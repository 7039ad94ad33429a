"""Figures, importances and partial dependences against scikit-learn; trees; held-out rows."""

import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.inspection import partial_dependence as their_dependence
from sklearn.linear_model import LinearRegression

from apps.tables.perceptrons.columns.schema import Column, Schema, Slots, Target
from apps.tables.perceptrons.evaluation import metrics
from apps.tables.perceptrons.evaluation.influence import partial_dependence, permutation_importance
from apps.tables.perceptrons.evaluation.trees import Trees, trees_metrics
from apps.tables.perceptrons.rows import Rows
from apps.tables.perceptrons.survey import hold_out


def probabilities_of(classes, rows=200, seed=0):
    generator = np.random.default_rng(seed)
    return generator.dirichlet(np.ones(classes), rows), generator.integers(0, classes, rows)


def test_figures_of_classes():
    for classes in (2, 4):
        probabilities, labels = probabilities_of(classes)
        found = metrics.class_metrics(labels, probabilities)
        predicted = probabilities.argmax(1)
        assert found["accuracy"] == sk.accuracy_score(labels, predicted)
        assert found["f1"] == sk.f1_score(labels, predicted, average="macro")
        scores = probabilities[:, 1] if classes == 2 else probabilities
        area = sk.roc_auc_score(labels, scores, multi_class="ovr")
        assert found["auroc"] == pytest.approx(area)
    one = metrics.class_metrics(np.zeros(3, int), np.array([[0.9, 0.1]] * 3))
    assert one["accuracy"] == 1 and "auroc" not in one
    assert one["calibration_error"] == pytest.approx(0.1)


def test_calibration_error_is_its_sum_over_bins():
    probabilities, labels = probabilities_of(3)
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    expected = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert metrics.calibration_error(labels, probabilities) == pytest.approx(expected)


def test_figures_of_numbers():
    targets, predictions = np.random.default_rng(0).normal(size=(2, 50, 3))
    found = metrics.number_metrics(targets, predictions)
    errors = predictions - targets
    assert found["rmse"] == pytest.approx(np.sqrt((errors**2).mean(0)).mean())
    assert found["mae"] == pytest.approx(np.abs(errors).mean())
    assert found["r2"] == pytest.approx((1 - (errors**2).sum(0) / (50 * targets.var(0))).mean())
    assert "r2" not in metrics.number_metrics(targets[:1], predictions[:1])
    each = metrics.per_target(targets, predictions, ["a", "b", "c"])
    assert np.mean([each[name]["rmse"] for name in "abc"]) == pytest.approx(found["rmse"])


class Model(RegressorMixin, BaseEstimator):
    """A function of two numbers and a category, as scikit-learn and as `Predict` want it."""

    def fit(self, x, y):
        self.is_fitted_ = True
        return self

    def predict(self, x):
        return np.sin(x[:, 0]) + x[:, 1] * x[:, 2]

    def of_features(self, features):
        return self.predict(np.concatenate(list(features.values()), axis=1))[:, None]


def rows_of(count=150):
    generator = np.random.default_rng(5)
    numbers = generator.normal(size=(count, 2)).astype(np.float32)
    categories = generator.integers(0, 4, (count, 1)).astype(np.int32)
    rows = Rows(numbers, categories, np.zeros((count, 1)))
    targets = Model().of_features(rows.features) + generator.normal(0, 0.1, (count, 1))
    return Rows(numbers, categories, targets)


SLOTS = {"a": Slots((0,)), "b": Slots((1,)), "c": Slots(category=0)}


def test_partial_dependence_is_that_of_scikit_learn():
    rows = rows_of()
    table = np.concatenate([rows.numbers, rows.categories], axis=1)
    model = Model().fit(table, None)
    for name, column in (("a", 0), ("b", 1), ("c", 2)):
        theirs = their_dependence(model, table, [column], method="brute", grid_resolution=10)
        (values,) = theirs["grid_values"]
        grid = rows[np.zeros(len(values), int)]
        if name == "c":
            grid = Rows(grid.numbers, values.astype(np.int32)[:, None], grid.targets)
        else:
            numbers = grid.numbers.copy()
            numbers[:, column] = values
            grid = Rows(numbers, grid.categories, grid.targets)
        found = partial_dependence(model.of_features, rows, SLOTS[name], grid)
        np.testing.assert_allclose(found[:, 0], theirs["average"][0], rtol=1e-5)


def test_permutation_importance_of_a_linear_model():
    """Of a squared error it is 2 var(x) w^2; of what the model does not read, nothing."""
    generator = np.random.default_rng(1)
    numbers = generator.normal(size=(4000, 2)).astype(np.float32)
    rows = Rows(numbers, np.zeros((4000, 1), np.int32), (numbers @ [3.0, 0.5])[:, None])
    model = LinearRegression(fit_intercept=False).fit(numbers, rows.targets)

    def error(targets, predictions):
        return float(np.mean((targets - predictions) ** 2))

    found = permutation_importance(
        lambda features: model.predict(features["numbers"]), error, rows, SLOTS
    )
    assert list(found) == ["a", "b", "c"]
    assert found["a"]["importance"] == pytest.approx(18, rel=0.1)
    assert found["b"]["importance"] == pytest.approx(0.5, rel=0.1)
    assert found["c"]["importance"] == 0


def test_trees_are_those_of_scikit_learn():
    generator = np.random.default_rng(1)
    numbers = generator.normal(size=(300, 1)).astype(np.float32)
    missing = generator.random(300) < 0.1
    categories = generator.integers(0, 5, (300, 1)).astype(np.int32)
    # The class with the number 1 is in no row.
    labels = np.where(numbers[:, 0] + (categories[:, 0] == 3) > 0.3, 2, 0).astype(np.int32)
    marked = np.concatenate([np.where(missing[:, None], 0, numbers), missing[:, None]], axis=1)
    rows = Rows(marked.astype(np.float32), categories, labels)
    columns = (Column("n", "number", missing=30), Column("c", "category", values=tuple("xyz")))
    schema = Schema(columns, Target(("t",), ("low", "middle", "high")))
    found = Trees(schema, rows, seed=3).predict(rows)
    known = np.where(missing[:, None], np.nan, numbers)
    table = np.concatenate([known, missing[:, None], categories], axis=1).astype(np.float32)
    theirs = HistGradientBoostingClassifier(categorical_features=[2], random_state=3)
    expected = theirs.fit(table, labels).predict_proba(table)
    np.testing.assert_allclose(found[:, [0, 2]], expected, rtol=1e-6)
    assert not found[:, 1].any()
    figures = trees_metrics(schema, rows, rows, seed=3)
    assert figures["trees_accuracy"] == pytest.approx(
        sk.accuracy_score(labels, theirs.predict(table))
    )
    assert trees_metrics(schema, rows[labels == 0], rows, seed=3) == {}


def test_the_same_share_of_each_class_is_held_out():
    groups = np.repeat([0, 1, 2], [500, 90, 10])
    held_out = hold_out(groups, 0.1, seed=4)
    assert [int(held_out[groups == group].sum()) for group in range(3)] in ([50, 9, 1],)
    assert (hold_out(groups, 0.1, seed=4) == held_out).all()
    assert (hold_out(groups, 0.1, seed=5) != held_out).any()
    assert hold_out(np.zeros(2, int), 0.1, seed=0).sum() == 1

"""Figures of forecasts against scikit-learn and brute force."""

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, mean_pinball_loss, mean_squared_error

from apps.tables.forecast.evaluation.metrics import (
    Errors,
    QuantileErrors,
    last_seasons,
    last_values,
)
from apps.tables.forecast.series import Series
from apps.tables.forecast.windows import joined

N, H, C = 7, 4, 2
GENERATOR = np.random.default_rng(0)
TRUTH, GUESS = GENERATOR.normal(size=(2, N, H, C))
DEVIATIONS = GENERATOR.uniform(0.5, 2, (N, C))
UNITS = GENERATOR.uniform(0.5, 2, (N, C))
KNOWN = GENERATOR.random((N, H, C)) < 0.8


def errors_of():
    """Added in two batches."""
    errors = Errors(H, C)
    for part in (slice(0, 3), slice(3, N)):
        difference = (GUESS - TRUTH)[part]
        errors.add(difference, KNOWN[part] * 1.0, DEVIATIONS[part], UNITS[part])
    return errors


def test_errors_are_those_of_scikit_learn():
    found = errors_of().metrics()
    scaled = [values / DEVIATIONS[:, None] for values in (TRUTH, GUESS)]
    assert found["real_mse"] == pytest.approx(mean_squared_error(TRUTH[KNOWN], GUESS[KNOWN]))
    assert found["real_mae"] == pytest.approx(mean_absolute_error(TRUTH[KNOWN], GUESS[KNOWN]))
    assert found["mse"] == pytest.approx(mean_squared_error(*(v[KNOWN] for v in scaled)))
    assert found["mae"] == pytest.approx(mean_absolute_error(*(v[KNOWN] for v in scaled)))


def test_mase_is_that_of_brute_force():
    ratios = [
        abs(GUESS[n, h, c] - TRUTH[n, h, c]) / UNITS[n, c]
        for n in range(N) for h in range(H) for c in range(C) if KNOWN[n, h, c]
    ]  # fmt: skip
    assert errors_of().metrics()["mase"] == pytest.approx(np.mean(ratios))
    # Without a unit there is none.
    errors = Errors(H, C)
    errors.add(GUESS - TRUTH, KNOWN * 1.0, DEVIATIONS, np.zeros((N, C)))
    assert "mase" not in errors.metrics()


def test_parts_of_errors_have_the_whole_as_their_mean():
    errors = errors_of()
    per_channel = errors.per_channel()
    sizes = [KNOWN[..., c].sum() for c in range(C)]
    means = [found["mse"] for found in per_channel]
    assert np.average(means, weights=sizes) == pytest.approx(errors.metrics()["mse"])
    steps = errors.per_step("mae")
    weights = KNOWN.sum(axis=(0, 2))
    assert np.average(steps, weights=weights) == pytest.approx(errors.metrics()["mae"])


def test_pinball_is_that_of_scikit_learn_and_coverage_a_count():
    levels = (0.1, 0.5, 0.8)
    quantiles = np.sort(GENERATOR.normal(size=(N, H, C, 3)))
    errors = QuantileErrors(levels)
    for part in (slice(0, 2), slice(2, N)):
        errors.add(quantiles[part], TRUTH[part], KNOWN[part] * 1.0)
    found = errors.metrics()
    expected = [mean_pinball_loss(TRUTH[KNOWN], quantiles[KNOWN][:, i], alpha=level)
                for i, level in enumerate(levels)]  # fmt: skip
    assert found["pinball"] == pytest.approx(np.mean(expected))
    inside = (TRUTH[KNOWN] >= quantiles[KNOWN][:, 0]) & (TRUTH[KNOWN] <= quantiles[KNOWN][:, 2])
    assert found["coverage"] == pytest.approx(inside.mean())
    assert errors.coverage_wanted == pytest.approx(0.7)
    below = errors.per_level()["0.5"]["below"]
    assert below == pytest.approx((TRUTH[KNOWN] <= quantiles[KNOWN][:, 1]).mean())


def test_naive_forecasts_are_those_of_a_loop():
    values = GENERATOR.normal(size=(30, C))
    series = [
        Series(str(i), 0, part, np.zeros((len(part), 0)), np.ones(part.shape, bool),
               np.zeros(len(part), bool))
        for i, part in enumerate((values[:18], values[18:]))
    ]  # fmt: skip
    steps, season = joined(series, [0, 1]), 3
    origins = np.array([5, 10, 20, 24])
    last, seasonal = last_values(steps, origins, H), last_seasons(steps, origins, H, season)
    for row, origin in enumerate(origins.tolist()):
        for step in range(H):
            assert (last[row, step] == values[origin - 1]).all()
            place = origin + step
            while place >= origin:
                place -= season
            # The window at 20 has only two steps of its series before it.
            expected = values[place] if origin != 20 else values[19]
            assert (seasonal[row, step] == expected).all()

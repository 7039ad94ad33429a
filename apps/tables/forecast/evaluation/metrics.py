"""Errors of forecasts, added up batch by batch, and the naive forecasts beside them."""

from collections.abc import Sequence

import numpy as np

from apps.tables.forecast.windows import Steps


class Errors:
    """Sums of the errors of one way to forecast.

    Values that were filled have the weight 0. Sums are kept by step ahead and by channel.

    Args:
        horizon, channels: int.
    """

    def __init__(self, horizon: int, channels: int):
        self._sums = {
            name: np.zeros((horizon, channels))
            for name in ("weight", "mse", "mae", "real_mse", "real_mae", "mase", "mase_weight")
        }

    def add(self, errors: np.ndarray, weights: np.ndarray, deviations, units) -> None:
        """Adds the errors of some windows.

        Args:
            errors: float (N, H, C), forecast less truth in the units of the data.
            weights: float (N, H, C).
            deviations: float (N, C), of the scales.
            units: float (N, C), the errors that MASE counts in; 0 where there are none.
        """
        size = np.abs(errors)
        scaled = size / deviations[:, None]
        has_unit = (units > 0)[:, None] * weights
        in_units = size / np.where(units > 0, units, 1.0)[:, None]
        for name, values, weight in (
            ("weight", np.ones_like(size), weights),
            ("mse", scaled**2, weights),
            ("mae", scaled, weights),
            ("real_mse", size**2, weights),
            ("real_mae", size, weights),
            ("mase", in_units, has_unit),
            ("mase_weight", np.ones_like(size), has_unit),
        ):
            self._sums[name] += (values * weight).sum(axis=0)

    def metrics(self) -> dict[str, float]:
        """Means over all values."""
        return _means({name: values.sum() for name, values in self._sums.items()})

    def per_channel(self) -> list[dict[str, float]]:
        """Means of each channel."""
        sums = {name: values.sum(axis=0) for name, values in self._sums.items()}
        channels = len(sums["weight"])
        return [_means({name: values[c] for name, values in sums.items()}) for c in range(channels)]

    def per_step(self, name: str) -> np.ndarray:
        """The mean of a metric for each step ahead, float (H,); NaN where nothing is known."""
        weights = self._sums["weight"].sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return self._sums[name].sum(axis=1) / weights


def _means(sums: dict[str, float]) -> dict[str, float]:
    found = {name: float(sums[name] / sums["weight"]) if sums["weight"] else 0.0
             for name in ("mse", "mae", "real_mse", "real_mae")}  # fmt: skip
    if sums["mase_weight"]:
        found["mase"] = float(sums["mase"] / sums["mase_weight"])
    return found


class QuantileErrors:
    """Sums of the pinball losses of quantiles, and how often the truth is between the outer ones.

    Args:
        levels: Q numbers between 0 and 1, the smallest first.
    """

    def __init__(self, levels: Sequence[float]):
        self.levels = np.array(levels)
        self._pinball = np.zeros(len(levels))
        self._below = np.zeros(len(levels))
        self._inside = self._weight = 0.0

    def add(self, quantiles: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> None:
        """Adds some windows.

        Args:
            quantiles: float (N, H, C, Q), scaled.
            truth, weights: float (N, H, C).
        """
        losses = pinball(truth, quantiles, self.levels)
        self._pinball += np.einsum("nhcq,nhc->q", losses, weights)
        self._below += np.einsum("nhcq,nhc->q", (truth[..., None] <= quantiles) * 1.0, weights)
        inside = (truth >= quantiles[..., 0]) & (truth <= quantiles[..., -1])
        self._inside += float((inside * weights).sum())
        self._weight += float(weights.sum())

    def metrics(self) -> dict[str, float]:
        """The mean pinball loss, and the coverage of the outer quantiles."""
        weight = max(self._weight, 1.0)
        found = {"pinball": float(self._pinball.mean() / weight)}
        if len(self.levels) > 1:
            found["coverage"] = self._inside / weight
        return found

    @property
    def coverage_wanted(self) -> float:
        """The coverage that the outer quantiles should have."""
        return float(self.levels[-1] - self.levels[0])

    def per_level(self) -> dict[str, dict[str, float]]:
        """The pinball loss of each quantile, and the share of the truth that is not above it."""
        weight = max(self._weight, 1.0)
        return {
            f"{level:g}": {"pinball": float(loss / weight), "below": float(below / weight)}
            for level, loss, below in zip(self.levels, self._pinball, self._below, strict=True)
        }


def pinball(truth: np.ndarray, quantiles: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """The pinball losses (..., Q) of quantiles (..., Q) of a truth (...)."""
    differences = truth[..., None] - quantiles
    return np.maximum(levels * differences, (levels - 1) * differences)


# === Forecasts that take no training ===


def last_values(steps: Steps, origins: np.ndarray, horizon: int) -> np.ndarray:
    """The last value before each window, for all its steps: float (N, H, C)."""
    return np.repeat(steps.values[origins - 1][:, None], horizon, axis=1)


def last_seasons(steps: Steps, origins: np.ndarray, horizon: int, season: int) -> np.ndarray:
    """The last season before each window, over and over; the last value where there is none.

    Args:
        steps: of all series.
        origins: int array (N,). First predicted step of each window.
        horizon: int. H.
        season: int. Steps of a season.

    Returns:
        float (N, H, C).
    """
    before = origins - steps.starts[origins] >= season
    places = (origins - season)[:, None] + np.arange(horizon) % season
    places = np.where(before[:, None], places, (origins - 1)[:, None])
    return steps.values[places]

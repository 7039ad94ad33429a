"""How good forecasts are, beside those that take no training."""

from pathlib import Path
from typing import Any

import numpy as np

from apps.tables.forecast.evaluation import backtest, pictures
from apps.tables.forecast.evaluation.metrics import (
    Errors,
    QuantileErrors,
    last_seasons,
    last_values,
)
from apps.tables.forecast.evaluation.pictures import Shown
from apps.tables.forecast.schema import Schema
from apps.tables.forecast.windows import Windows
from shared.engine.app import Evaluator
from shared.report.page import Page

DRAWN, MAX_LISTED = 3, 100


class ForecastEvaluator(Evaluator):
    """Figures of forecasts of all windows of a split, which come in their order.

    Args:
        schema: columns, windows and scales.
        windows: of the split.
    """

    def __init__(self, schema: Schema, windows: Windows):
        self.schema, self.windows = schema, windows
        channels = len(schema.columns.targets)
        self._errors = {name: Errors(schema.horizon, channels) for name in pictures.NAMES}
        self._quantiles = {name: QuantileErrors(schema.quantiles) for name in pictures.NAMES}
        self._by_window: dict[str, list[np.ndarray]] = {name: [] for name in pictures.NAMES}
        self._drawn = pictures.spread(len(windows), DRAWN)
        self._shown: list[Shown] = []
        self._count = 0

    def update(self, batch: Any, outputs: Any) -> None:
        schema, scaled = self.schema, outputs["scaled"].astype(np.float64)
        begin, self._count = self._count, self._count + len(scaled)
        origins = self.windows.origins[begin : self._count]
        steps, series = self.windows.steps, self.windows.series[begin : self._count]
        ahead = origins[:, None] + np.arange(schema.horizon)
        truth, weights = steps.values[ahead], steps.known[ahead].astype(np.float64)
        quantiles = np.moveaxis(
            schema.scales.unscaled(np.moveaxis(scaled, -1, 0), series[:, None]), 0, -1
        )
        forecasts = {
            "": quantiles[..., self._median],
            "naive_": last_values(steps, origins, schema.horizon),
            "naive_seasonal_": last_seasons(steps, origins, schema.horizon, schema.season),
        }
        deviations, units = (
            np.array(values)[series]
            for values in (schema.scales.deviations, schema.scales.naive_errors)
        )
        for name, forecast in forecasts.items():
            self._errors[name].add(forecast - truth, weights, deviations, units)
            size = np.abs(forecast - truth) / deviations[:, None] * weights
            with np.errstate(invalid="ignore"):
                self._by_window[name].append(size.sum(axis=(1, 2)) / weights.sum(axis=(1, 2)))
            if schema.quantiles:
                levels = scaled if not name else np.repeat(
                    schema.scales.scaled(forecast, series[:, None])[..., None],
                    len(schema.quantiles), axis=-1,
                )  # fmt: skip
                right = schema.scales.scaled(truth, series[:, None])
                self._quantiles[name].add(levels, right, weights)
        for index in self._drawn:
            if begin <= index < self._count:
                row = index - begin
                known = np.where(weights[row] > 0, truth[row], np.nan)
                self._shown.append(self._window(index, known, forecasts[""][row], quantiles[row]))

    @property
    def _median(self) -> int:
        return self.schema.quantiles.index(0.5) if self.schema.quantiles else 0

    def _window(self, index: int, truth, forecast, quantiles) -> Shown:
        origin = int(self.windows.origins[index])
        steps, schema = self.windows.steps, self.schema
        name = schema.names[steps.series[origin]]
        title = f"{f'{name}, ' * bool(name)}{self._time(int(steps.places[origin]))}"
        history = steps.values[origin - schema.history : origin]
        return Shown(title, history, truth, forecast, quantiles)

    def _time(self, place: int) -> str:
        return self.schema.columns.time.shown(self.schema.frequency.time(place))

    def result(self) -> dict[str, float]:
        found = {}
        for name, errors in self._errors.items():
            figures = errors.metrics()
            if self.schema.quantiles:
                pinball = self._quantiles[name].metrics()
                # A single value has no band.
                figures |= pinball if not name else {"pinball": pinball["pinball"]}
            found |= {f"{name}{metric}": value for metric, value in figures.items()}
        return found

    # === Report ===

    def report(self, folder: Path) -> dict[str, Any]:
        """Draws plots, writes the backtest; returns figures of channels, series and quantiles."""
        schema = self.schema
        errors = {name: np.concatenate(parts) for name, parts in self._by_window.items()}
        plots, names = folder / "plots", schema.columns.targets
        pictures.forecasts(self._shown, names, plots / "forecasts.png")
        ahead = {name: found.per_step("mae") for name, found in self._errors.items()}
        pictures.errors_ahead(ahead, plots / "errors_ahead.png")
        curves = {name: backtest.by_time(self.windows, values) for name, values in errors.items()}
        pictures.backtest(curves, self._time, plots / "backtest.png")
        backtest.write_backtest(schema, self.windows, errors, folder / "samples" / "backtest.csv")
        self._write_worst(errors, folder / "samples" / "largest_errors.html")
        found: dict[str, Any] = {"windows": len(self.windows)}
        if len(names) > 1:
            per_channel = self._errors[""].per_channel()
            found["per_target"] = dict(zip(names, per_channel, strict=True))
        if schema.columns.series:
            found["per_series"] = self._per_series(errors)
        if schema.quantiles:
            found["coverage_wanted"] = self._quantiles[""].coverage_wanted
            found["per_quantile"] = self._quantiles[""].per_level()
            pictures.reliability(found["per_quantile"], plots / "quantiles.png")
        return found

    def _per_series(self, errors) -> dict[str, dict[str, float]]:
        found = {}
        for number in np.unique(self.windows.series)[:MAX_LISTED].tolist():
            own = self.windows.series == number
            found[self.schema.names[number]] = {
                "windows": int(own.sum()),
                **{f"{name}mae": float(np.nanmean(v[own])) for name, v in errors.items()},
            }
        return found

    def _write_worst(self, errors: dict[str, np.ndarray], path: Path) -> None:
        """Writes the windows with the largest errors, of each series and time one."""
        page = Page("Largest errors")
        page.text(
            f"Of {len(self.windows):,} windows those with the largest mean absolute error, in "
            f"standard deviations; of windows that overlap the worst one."
        )
        rows, taken = [], []
        for index in np.argsort(-np.nan_to_num(errors[""]), kind="stable").tolist():
            origin = int(self.windows.origins[index])
            if any(abs(origin - other) < self.schema.horizon for other in taken):
                continue
            taken.append(origin)
            steps = self.windows.steps
            name = self.schema.names[steps.series[origin]]
            figures = (round(float(values[index]), 4) for values in errors.values())
            rows.append((name, self._time(int(steps.places[origin])), *figures))
            if len(rows) == 20:
                break
        page.table(rows, ["series", "from", *(pictures.NAMES[name] for name in errors)])
        page.write(path)

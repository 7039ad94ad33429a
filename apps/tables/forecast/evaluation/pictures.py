"""Plots of forecasts against the truth, of errors ahead and of errors as time goes on."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from shared.report import plots
from shared.report.fonts import warn_of_missing_characters

MAX_CHANNELS, SHOWN_HISTORY = 4, 3
NAMES = {"": "model", "naive_": "last value", "naive_seasonal_": "last season"}
COLOURS = {"": "C0", "naive_": "C7", "naive_seasonal_": "C1"}


class Shown(NamedTuple):
    """A window to be drawn.

    Attributes:
        title: of its column: series and time.
        history: float (L, C).
        truth: float (H, C), NaN where nothing is known; or None.
        forecast: float (H, C).
        quantiles: float (H, C, Q), the smallest first; Q may be 1.
    """

    title: str
    history: np.ndarray
    truth: np.ndarray | None
    forecast: np.ndarray
    quantiles: np.ndarray


def forecasts(windows: Sequence[Shown], names: Sequence[str], path: Path) -> None:
    """Draws windows side by side, a row for each channel, with bands between quantiles.

    Args:
        windows: the windows.
        names: of the channels; the first few are drawn.
        path: PNG file to write.
    """
    names = list(names)[:MAX_CHANNELS]
    warn_of_missing_characters([*names, *(window.title for window in windows)])
    with plots.style():
        size = (5.2 * len(windows), 2.4 * len(names) + 0.5)
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.subplots(len(names), len(windows), squeeze=False, sharex="col")
        for row, (name, line) in enumerate(zip(names, grid, strict=True)):
            for column, (axes, window) in enumerate(zip(line, windows, strict=True)):
                _window(axes, window, row)
                if not row:
                    axes.set_title(window.title[:60], fontsize=9)
                if not column:
                    axes.set_ylabel(name[:24])
        for axes in grid[-1]:
            axes.set_xlabel("steps ahead")
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, fontsize=8, loc="outside upper left", ncols=len(labels))
        plots.write_figure(figure, path)


def _window(axes: Axes, window: Shown, channel: int) -> None:
    horizon = len(window.forecast)
    past = window.history[-SHOWN_HISTORY * horizon :, channel]
    ahead = np.arange(1, horizon + 1)
    marker = "." if horizon == 1 else None
    axes.plot(np.arange(1 - len(past), 1), past, color="0.35", linewidth=1, label="history")
    quantiles = window.quantiles[:, channel]
    for low in range(quantiles.shape[1] // 2):
        axes.fill_between(ahead, quantiles[:, low], quantiles[:, -1 - low], color="C0", alpha=0.2,
                          linewidth=0, label=None if low else "quantiles")  # fmt: skip
    if window.truth is not None:
        axes.plot(ahead, window.truth[:, channel], color="0.35", linewidth=1, linestyle="--",
                  marker=marker, label="truth")  # fmt: skip
    axes.plot(ahead, window.forecast[:, channel], color="C0", linewidth=1.5, marker=marker,
              label="forecast")  # fmt: skip
    axes.axvline(0.5, color="0.8", linewidth=1)
    axes.grid(alpha=0.3)


def errors_ahead(found: Mapping[str, np.ndarray], path: Path) -> None:
    """Draws the scaled mean absolute error for each step ahead.

    Args:
        found: way to forecast, "" for the model, to float (H,).
        path: PNG file to write.
    """
    with plots.style():
        figure = Figure(figsize=(5.6, 3.6), layout="constrained")
        axes = figure.subplots()
        for name, values in found.items():
            marker = "o" if len(values) <= 30 else None
            axes.plot(np.arange(1, len(values) + 1), values, color=COLOURS[name],
                      label=NAMES[name], marker=marker, markersize=3)  # fmt: skip
        axes.set(xlabel="steps ahead", ylabel="mae (scaled)", ylim=(0, None))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
        plots.write_figure(figure, path)


def backtest(found: Mapping[str, tuple[np.ndarray, np.ndarray]], shown_time, path: Path) -> None:
    """Draws the scaled mean absolute error of windows over their first predicted times.

    Args:
        found: way to forecast to places on the grid of times and errors there.
        shown_time: function of such a place to its text.
        path: PNG file to write.
    """
    with plots.style():
        figure = Figure(figsize=(9.0, 3.6), layout="constrained")
        axes = figure.subplots()
        for name, (places, values) in found.items():
            axes.plot(places, values, color=COLOURS[name], label=NAMES[name], linewidth=1.2)
        ends = found[""][0]
        ticks = np.unique(np.linspace(ends[0], ends[-1], 5).round().astype(int)).tolist()
        axes.set_xticks(ticks, [shown_time(tick) for tick in ticks], fontsize=8)
        axes.set(xlabel="first predicted step", ylabel="mae (scaled)", ylim=(0, None))
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
        plots.write_figure(figure, path)


def reliability(levels: Mapping[str, Mapping[str, float]], path: Path) -> None:
    """Draws the share of the truth below each quantile over what it should be.

    Args:
        levels: what `QuantileErrors.per_level` gives.
        path: PNG file to write.
    """
    wanted = [float(level) for level in levels]
    with plots.style():
        figure = Figure(figsize=(4.2, 4.0), layout="constrained")
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
        axes.plot(wanted, [found["below"] for found in levels.values()], marker="o", markersize=4)
        axes.set(xlabel="quantile", ylabel="share of the truth below", xlim=(0, 1), ylim=(0, 1))
        axes.set_aspect("equal")
        plots.write_figure(figure, path)


def spread(count: int, shown: int) -> list[int]:
    """Numbers below `count`, at most `shown` of them, evenly spread."""
    return sorted({math.floor((index + 0.5) * count / shown) for index in range(shown)})

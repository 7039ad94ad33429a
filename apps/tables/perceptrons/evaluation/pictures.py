"""Plots of predictions: residuals, calibration, importance and partial dependence."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from apps.tables.perceptrons.evaluation.metrics import BINS
from shared.report import plots
from shared.report.fonts import warn_of_missing_characters

MAX_BARS, MAX_POINTS, MAX_TARGETS, MAX_LINES = 25, 5000, 6, 5


class Dependence(NamedTuple):
    """Partial dependence on one column.

    Attributes:
        name: of the column.
        labels: of the values; the numbers themselves, or texts.
        means: float array (G, outputs).
    """

    name: str
    labels: Sequence[float] | Sequence[str]
    means: np.ndarray


def residuals(
    targets: np.ndarray, predictions: np.ndarray, names: Sequence[str], path: Path
) -> None:
    """Draws predictions over targets, and the errors as a histogram, for each target.

    Args:
        targets, predictions: float arrays (N, T).
        names: of the targets.
        path: PNG file to write.
    """
    names = list(names)[:MAX_TARGETS]
    warn_of_missing_characters(names)
    with plots.style():
        figure = Figure(figsize=(9.6, 3.8 * len(names)), layout="constrained")
        grid = figure.subplots(len(names), 2, squeeze=False)
        for index, (name, (points, histogram)) in enumerate(zip(names, grid, strict=True)):
            truth, guess = targets[:MAX_POINTS, index], predictions[:MAX_POINTS, index]
            points.scatter(truth, guess, s=4, alpha=0.3, linewidths=0)
            ends = [min(truth.min(), guess.min()), max(truth.max(), guess.max())]
            points.plot(ends, ends, color="grey", linewidth=1)
            points.set(xlabel=f"{name}, true", ylabel="predicted")
            histogram.hist(predictions[:, index] - targets[:, index], bins=50)
            histogram.axvline(0, color="grey", linewidth=1)
            histogram.set(xlabel="predicted less true", ylabel="rows")
        plots.write_figure(figure, path)


def calibration(labels: np.ndarray, probabilities: np.ndarray, path: Path) -> None:
    """Draws how often the predicted class is right, over how sure the model was.

    Args:
        labels: int array (N,).
        probabilities: float array (N, C).
        path: PNG file to write.
    """
    confidence, right = probabilities.max(-1), probabilities.argmax(-1) == labels
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    filled = np.flatnonzero(counts)
    means, shares = (np.bincount(bins, v, BINS)[filled] / counts[filled]
                     for v in (confidence, right))  # fmt: skip
    with plots.style():
        figure = Figure(figsize=(4.8, 5.4), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        above.plot([0, 1], [0, 1], color="grey", linewidth=1)
        above.plot(means, shares, marker="o", markersize=4)
        above.set(ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.02))
        below.bar((filled + 0.5) / BINS, counts[filled], width=0.9 / BINS)
        below.set(xlabel="probability of the predicted class", ylabel="rows")
        plots.write_figure(figure, path)


def importance(found: Mapping[str, Mapping[str, float]], unit: str, path: Path) -> None:
    """Draws the permutation importance of the most important columns as bars.

    Args:
        found: name to "importance" and "deviation", the largest first.
        unit: what grows, the label of the axis.
        path: PNG file to write.
    """
    names = list(found)[:MAX_BARS]
    warn_of_missing_characters(names)
    with plots.style():
        figure = Figure(figsize=(6.4, 1.2 + 0.28 * len(names)), layout="constrained")
        axes = figure.subplots()
        axes.barh(
            [name[:40] for name in names],
            [found[name]["importance"] for name in names],
            xerr=[found[name]["deviation"] for name in names],
        )
        axes.invert_yaxis()
        axes.set_xlabel(unit)
        plots.write_figure(figure, path)


def dependence(found: Sequence[Dependence], outputs: Sequence[str], path: Path) -> None:
    """Draws partial dependences side by side.

    Args:
        found: of the columns.
        outputs: names of what is predicted; the first few are drawn.
        path: PNG file to write.
    """
    warn_of_missing_characters([*outputs, *(each.name for each in found)])
    across = min(3, len(found))
    down = math.ceil(len(found) / across)
    with plots.style():
        figure = Figure(figsize=(4.2 * across, 3.4 * down), layout="constrained")
        grid = figure.subplots(down, across, squeeze=False)
        for axes, each in zip(grid.flat, found, strict=False):
            _curves(axes, each, outputs)
        for axes in grid.flat[len(found) :]:
            axes.set_axis_off()
        plots.write_figure(figure, path)


def _curves(axes: Axes, found: Dependence, outputs: Sequence[str]) -> None:
    are_texts = bool(found.labels) and isinstance(found.labels[0], str)
    places = range(len(found.labels)) if are_texts else found.labels
    for index, name in enumerate(outputs[:MAX_LINES]):
        style = {"marker": "o", "linestyle": "none"} if are_texts else {}
        axes.plot(places, found.means[:, index], label=name[:24], **style)
    if are_texts:
        axes.set_xticks(list(places), [label[:14] for label in found.labels], rotation=60)
    axes.set_title(found.name[:40])
    axes.grid(alpha=0.3)
    if len(outputs) > 1:
        axes.legend(fontsize=7)

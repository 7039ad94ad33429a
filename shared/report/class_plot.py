"""Scores of each class as bars."""

import os
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from shared.report.fonts import warn_of_missing_characters
from shared.report.plots import LABELS_UP_TO, style, write_figure

_LONGEST = 24


def class_scores_plot(
    labels: Sequence[str],
    scores: Mapping[str, Sequence[float | None]],
    path: str | os.PathLike,
) -> None:
    """Draws a group of horizontal bars for each class.

    Args:
        labels: C class names; those above 100 are left out.
        scores: name of a score to C values between 0 and 1; None has no bar.
        path: PNG file to write.
    """
    labels = [name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…" for name in labels]
    labels = labels[:LABELS_UP_TO]
    warn_of_missing_characters(labels)
    positions, height = np.arange(len(labels)), 0.8 / len(scores)
    with style():
        figure = Figure(figsize=(7, 1.2 + 0.3 * len(labels)), layout="constrained")
        axes = figure.subplots()
        for number, (name, values) in enumerate(scores.items()):
            widths = [0.0 if value is None else value for value in values[: len(labels)]]
            offset = (number - (len(scores) - 1) / 2) * height
            axes.barh(positions + offset, widths, height, label=name.replace("_", " "))
        axes.set_yticks(positions, labels, fontsize=8)
        axes.set_ylim(len(labels) - 0.4, -0.6)
        axes.set_xlim(0, 1)
        axes.grid(axis="x", alpha=0.3)
        axes.legend(loc="lower right")
        write_figure(figure, path)

"""Curves of a detector: precision over recall, and F1 over the confidence."""

import os
from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from shared.common.files import atomic_path
from shared.report import plots

NAMED_CLASSES = 10  # of more, the most frequent ones are named and coloured
LEGEND = {
    "loc": "upper left",
    "bbox_to_anchor": (1.01, 1),
    "borderaxespad": 0,
    "frameon": False,
    "alignment": "left",
}


def precision_recall(
    recall: np.ndarray,
    precision: np.ndarray,
    class_names: Sequence[str],
    counts: np.ndarray,
    path: str | os.PathLike,
) -> None:
    """Draws precision over recall at IoU 0.5, with each class's average precision.

    Args:
        recall: float array (R,).
        precision: float array (C, R); NaN for classes without truth.
        class_names: C names.
        counts: int array (C,). Boxes of each class.
        path: PNG file to write.
    """
    with plots.style():
        figure, axes = _figure("recall", "precision", "Precision and recall at IoU 0.5")
        averages = precision.mean(axis=1)
        _curves(axes, recall, precision, averages, class_names, counts, "mean AP")
        _write(figure, path)


def f1_over_confidence(
    confidences: np.ndarray,
    f1: np.ndarray,
    best: int,
    class_names: Sequence[str],
    counts: np.ndarray,
    path: str | os.PathLike,
) -> None:
    """Draws F1 over the confidence at IoU 0.5 and marks the best confidence.

    Args:
        confidences: float array (N,).
        f1: float array (C, N); NaN for classes without truth.
        best: int. Index of the best confidence.
        class_names: C names.
        counts: int array (C,). Boxes of each class.
        path: PNG file to write.
    """
    with plots.style():
        figure, axes = _figure("confidence", "F1", "F1 at IoU 0.5")
        label = f"best confidence {confidences[best]:.3f}"
        axes.axvline(confidences[best], color="black", linewidth=1, linestyle="--", label=label)
        _curves(axes, confidences, f1, f1[:, best], class_names, counts, "mean")
        _write(figure, path)


def _figure(x, y, title):
    figure = Figure(figsize=(8.5, 5.2), layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel=x, ylabel=y, title=title, xlim=(0, 1), ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    return figure, axes


def _curves(axes, x, values, numbers, class_names, counts, mean_name):
    """A line for each class that has boxes, with its number in the legend, and their mean."""
    known = np.flatnonzero(counts)
    frequent = np.sort(known[np.argsort(-counts[known], kind="stable")][:NAMED_CLASSES])
    for index in np.setdiff1d(known, frequent):
        axes.plot(x, values[index], color="0.8", linewidth=0.7)
    mean = values[known].mean(axis=0)
    label = f"{mean_name} {np.mean(numbers[known]):.3f}"
    axes.plot(x, mean, color="black", linewidth=2.5, label=label, zorder=3)
    for number, index in enumerate(frequent):
        label = f"{_shortened(class_names[index])} {numbers[index]:.3f}"
        axes.plot(x, values[index], color=f"C{number}", linewidth=1.3, label=label)
    is_part = len(frequent) < len(known)
    title = f"the {len(frequent)} most frequent of {len(known)} classes" if is_part else None
    axes.legend(title=title, **LEGEND)


def _shortened(name, length=28):
    return name if len(name) <= length else name[: length - 1] + "…"


def _write(figure, path):
    FigureCanvasAgg(figure)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)

"""A plot of translation quality by sentence length."""

import os
from collections.abc import Mapping

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from shared.common.files import atomic_path
from shared.report import plots

METRICS = {"bleu": "BLEU", "chrf": "chrF"}
WIDTH = 0.4


def plot_by_length(table: Mapping[str, Mapping[str, float]], path: str | os.PathLike) -> None:
    """Draws two bars for each class of sentence length, with the number of pairs below.

    Args:
        table: name of a class ("6-10") to "pairs", "bleu" and "chrf" (0 to 100).
        path: PNG file to write.
    """
    with plots.style():
        figure = Figure(figsize=(max(4.8, 1.1 * len(table) + 1.6), 3.8), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        for number, (name, label) in enumerate(METRICS.items()):
            positions = [index + (number - 0.5) * WIDTH for index in range(len(table))]
            heights = [row[name] for row in table.values()]
            bars = axes.bar(positions, heights, WIDTH, label=label)
            axes.bar_label(bars, fmt="%.0f", fontsize=7, padding=1)
        names = [f"{name}\n{row['pairs']:,} pairs" for name, row in table.items()]
        axes.set_xticks(range(len(table)), names, fontsize=8)
        axes.set(xlabel="length of the source (words, or characters)", ylim=(0, 108))
        axes.set_xlim(-0.7, len(table) - 0.3)
        axes.grid(axis="y", alpha=0.3)
        axes.set_axisbelow(True)
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="png", dpi=120)

"""A map of words: their vectors in two dimensions, with labels that can be read."""

import os
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from apps.embeddings.vectors.word_vectors import WordVectors
from shared.common.errors import KerasuiteError
from shared.common.files import atomic_path
from shared.report import plots
from shared.report.projection import project

NUM_FREQUENT_WORDS = 200
DPI = 120
# Offsets of a label from its point: distances in pixels, nearest first, and directions.
DISTANCES = (5, 14, 26, 42, 62)
DIRECTIONS = np.linspace(0, 2 * np.pi, 16, endpoint=False)


def plot_projection(
    vectors: WordVectors,
    path: str | os.PathLike,
    words: Sequence[str] = (),
    method: str = "pca",
    seed: int = 1,
) -> None:
    """Draws words as points in two dimensions.

    Args:
        vectors: of all words.
        path: PNG file to write.
        words: words to draw; by default the 200 most frequent.
        method: str. "pca" keeps large distances, "tsne" neighbourhoods.
        seed: int. Seed of t-SNE.

    Raises:
        KerasuiteError: for an unknown method or word, or less than two words.
    """
    words = list(dict.fromkeys(words)) or vectors.words[:NUM_FREQUENT_WORDS]
    if len(words) < 2:
        raise KerasuiteError("a plot needs at least two words; name more")
    rows = vectors.unit()[[vectors.index(word) for word in words]]
    points = project(rows, method, seed)
    with plots.style():
        side = float(np.clip(2 + 0.75 * np.sqrt(len(words)), 6, 24))
        figure = Figure(figsize=(side * 1.25, side), dpi=DPI)
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0.01, 0.01, 0.98, 0.98))
        axes.set(xticks=[], yticks=[])
        axes.margins(0.08)
        axes.scatter(*points.T, s=9, color="tab:blue", linewidths=0)
        write_labels(axes, points, words)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="png", dpi=DPI)


def write_labels(axes: Axes, points: np.ndarray, words: Sequence[str]) -> np.ndarray:
    """Labels each point, where possible without covering another label.

    Offsets are tried from near to far; a label far from its point gets a thin line. The most
    important words come first in `words`, and are labelled first.

    Args:
        axes: axes of a figure with an Agg canvas.
        points: float (n, 2). In data coordinates.
        words: their n labels.

    Returns:
        float (n, 4). Left, bottom, right and top of the labels in pixels.
    """
    renderer = axes.figure.canvas.get_renderer()
    axes.set_xlim(axes.get_xlim())
    axes.set_ylim(axes.get_ylim())
    pixels = axes.transData.transform(points)
    boxes = np.zeros((0, 4))
    for word, pixel in zip(words, pixels, strict=True):
        label = axes.annotate(
            word,
            pixel,
            xycoords="figure pixels",
            ha="center",
            va="center",
            fontsize=8,
            annotation_clip=False,
        )
        extent = label.get_window_extent(renderer)
        distance, box = _free_box(pixel, (extent.width, extent.height), boxes, pixels, axes.bbox)
        middle = (box[:2] + box[2:]) / 2
        label.set_position(middle)
        if distance > DISTANCES[1]:
            line = axes.transData.inverted().transform([pixel, middle])
            axes.plot(*line.T, color="0.75", linewidth=0.5, zorder=0)
        boxes = np.vstack([boxes, box])
    return boxes


def _free_box(
    pixel: np.ndarray, size: tuple[float, float], boxes: np.ndarray, points: np.ndarray, frame
) -> tuple[int, np.ndarray]:
    """The first box without overlap, or the one with the smallest."""
    half = np.array(size) / 2 + 1
    best = (np.inf, 0, np.zeros(4))
    for distance in DISTANCES:
        for angle in DIRECTIONS:
            toward = np.array([np.cos(angle), np.sin(angle)])
            # The distance is that of the label's edge, not of its middle.
            middle = pixel + toward * distance + np.sign(toward.round(6)) * half
            box = np.concatenate([middle - half, middle + half])
            overlap = _overlap(box, boxes) + 20 * _inside(box, points) + _outside(box, frame)
            if overlap < best[0]:
                best = (overlap, distance, box)
            if overlap == 0:
                return distance, box
    return best[1], best[2]


def _overlap(box: np.ndarray, boxes: np.ndarray) -> float:
    """The area in pixels that other labels cover."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    return float(np.clip(sides, 0, None).prod(axis=1).sum())


def _inside(box: np.ndarray, points: np.ndarray) -> int:
    return int(((points > box[:2]) & (points < box[2:])).all(axis=1).sum())


def _outside(box: np.ndarray, frame) -> float:
    beyond = np.concatenate([frame.min - box[:2], box[2:] - frame.max])
    return 1000 * float(np.clip(beyond, 0, None).sum())

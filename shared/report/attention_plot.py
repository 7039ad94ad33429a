"""Attention weights as heat maps."""

import math
import os
import unicodedata
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from shared.common.files import atomic_path
from shared.report import plots
from shared.report.fonts import warn_of_missing_characters

# Inches: of a piece, and of all pieces at most; of the bar; of a character of a label.
CELL, LARGEST, BAR, MARGIN = 0.3, 24.0, 4.0, 0.1
MAX_LABEL_LENGTH = 24
HEADS_ACROSS = 4
DPI = 120


def draw(
    source_pieces: Sequence[str],
    target_pieces: Sequence[str],
    attention: np.ndarray,
    path: str | os.PathLike,
    names: tuple[str, str] = ("source", "translation"),
) -> None:
    """Draws a heat map: a column for each source piece, a row for each target piece.

    Args:
        source_pieces: S str.
        target_pieces: T str, the first one on top.
        attention: float array (T, S), from 0 to 1.
        path: PNG file to write.
        names: what the columns and the rows are.

    Raises:
        ValueError: if the shapes do not agree.
    """
    attention = np.asarray(attention, np.float32)
    rows, columns = len(target_pieces), len(source_pieces)
    if attention.shape != (rows, columns):
        raise ValueError(f"attention is {attention.shape} for {rows} and {columns} pieces")
    warn_of_missing_characters([*source_pieces, *target_pieces])
    sources, targets = ([_label(each) for each in side] for side in (source_pieces, target_pieces))
    cell = min(CELL, LARGEST / max(rows, columns, 1))
    left, top = (MARGIN * max(map(len, side), default=1) for side in (targets, sources))
    size = (cell * columns + left + 1.6, cell * rows + top + 0.6)
    with plots.style():
        figure = Figure(figsize=np.maximum(size, (4, 3)), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        image = _heat_map(axes, attention)
        _name_pieces(axes, sources, targets, font_size=min(9.0, 72 * 0.8 * cell))
        axes.set_xlabel(names[0])
        axes.set_ylabel(names[1])
        figure.colorbar(image, label="attention", shrink=min(0.6, BAR / figure.get_figheight()))
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="png", dpi=DPI)


def draw_heads(pieces: Sequence[str], weights: np.ndarray, path: str | os.PathLike) -> None:
    """Draws a heat map for each head of a layer, queries in rows and keys in columns.

    Args:
        pieces: T str.
        weights: float array (A, T, T), from 0 to 1.
        path: PNG file to write.
    """
    warn_of_missing_characters(pieces)
    labels = [_label(piece) for piece in pieces]
    across = min(HEADS_ACROSS, len(weights))
    down = math.ceil(len(weights) / across)
    cell = min(CELL * 0.6, LARGEST / (across * max(len(pieces), 1)))
    side = max(cell * len(pieces) + MARGIN * 0.6 * max(map(len, labels), default=1), 2.0)
    with plots.style():
        figure = Figure(figsize=(side * across, (side + 0.3) * down), layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.subplots(down, across, squeeze=False)
        for number, (axes, head) in enumerate(zip(grid.flat, weights, strict=False), 1):
            _heat_map(axes, head)
            _name_pieces(axes, labels, labels, font_size=min(8.0, 72 * 0.8 * cell))
            axes.set_title(f"head {number}", fontsize=9)
        for axes in grid.flat[len(weights) :]:
            axes.set_axis_off()
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="png", dpi=DPI)


def _heat_map(axes: Axes, attention: np.ndarray):
    # The square root keeps weights of a few per cent visible.
    norm = PowerNorm(0.5, vmin=0, vmax=1)
    return axes.imshow(attention, cmap="Blues", norm=norm, aspect="equal")


def _name_pieces(axes: Axes, sources: list[str], targets: list[str], font_size: float) -> None:
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xticks(range(len(sources)), sources, fontsize=font_size, rotation=90)
    axes.set_yticks(range(len(targets)), targets, fontsize=font_size)
    for label in axes.get_xticklabels():
        if _stands_upright(label.get_text()):
            label.set_rotation(0)
    axes.tick_params(length=0)


def _stands_upright(text: str) -> bool:
    """Whether a label needs no turning: it is short, and its characters are read upright."""
    is_wide = all(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) == 1 or (len(text) == 2 and is_wide)


def _label(piece: str) -> str:
    """A piece as it is shown; "▁", the space before a word, is kept."""
    text = "".join(c if c.isprintable() else "�" for c in piece)
    return text if len(text) <= MAX_LABEL_LENGTH else f"{text[: MAX_LABEL_LENGTH - 1]}…"

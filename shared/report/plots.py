"""Plots as PNG files, drawn without pyplot's global state, so that any thread may call them."""

import contextlib
import math
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from shared.common.files import atomic_path
from shared.report.fonts import families, warn_of_missing_characters

# Columns of history.csv that say when a row was written, not how good the model was.
NOT_CURVES = {"epoch", "step", "seconds", "time", "items_per_second", "steps_per_second"}
COUNTS_UP_TO = 20
LABELS_UP_TO = 100


def curves(rows: Sequence[Mapping[str, Any]], path: str | os.PathLike, reference: str = "") -> None:
    """Draws one axis per metric, training and validation together, and the learning rate.

    Args:
        rows: the rows of history.csv: column to number or text. `x` and `val_x` share an
            axis; `epoch` is the abscissa; empty and non-numeric cells are left out.
        path: PNG file to write.
        reference: what metrics are compared with, such as "bicubic"; `val_bicubic_x` is then a
            line in the axis of `x`.
    """
    columns = _numeric_columns(rows)
    epochs = columns.get("epoch", np.arange(1, len(rows) + 1))
    names = dict.fromkeys(name.removeprefix("val_") for name in columns if name not in NOT_CURVES)
    if reference:
        names = [name for name in names if not name.startswith(f"{reference}_")]
    # The learning rate explains the other curves and is read after them.
    names = sorted(names, key=lambda name: name.startswith("learning_rate"))
    with style():
        across = min(3, max(1, len(names)))
        down = math.ceil(max(1, len(names)) / across)
        figure = Figure(figsize=(4.8 * across, 3.4 * down), layout="constrained")
        grid = figure.subplots(down, across, squeeze=False)
        for axes, name in zip(grid.flat, names, strict=False):
            _curve(axes, epochs, columns, name, reference)
        for axes in grid.flat[len(names) :]:
            axes.set_axis_off()
        write_figure(figure, path)


def _numeric_columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: np.array([_number(row.get(name)) for row in rows]) for name in names}
    return {name: column for name, column in columns.items() if np.isfinite(column).any()}


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _curve(
    axes: Axes,
    epochs: np.ndarray,
    columns: Mapping[str, np.ndarray],
    name: str,
    reference: str,
) -> None:
    lines = [(name, "train", "C0"), (f"val_{name}", "validation", "C1")]
    if reference:
        lines.append((f"val_{reference}_{name}", reference, "grey"))
    for column, label, colour in lines:
        if column in columns:
            # Joined over epochs without a value: not every epoch is validated.
            known = np.isfinite(columns[column])
            # A line needs two neighbours; a marker shows the single epoch too.
            marker = "o" if known.sum() <= 30 else None
            line = {"label": label, "color": colour, "marker": marker, "markersize": 3}
            axes.plot(epochs[known], columns[column][known], **line)
    axes.set_title(name.replace("_", " "))
    axes.set_xlabel("epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    if name.startswith("learning_rate"):
        axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
    else:
        axes.legend()


def confusion_matrix(matrix: Any, labels: Sequence[str], path: str | os.PathLike) -> None:
    """Draws a confusion matrix coloured by the share of each true class.

    Args:
        matrix: integer array (C, C); rows are true classes, columns predictions. Counts are
            written into the cells up to 20 classes, labels are left out above 100.
        labels: C class names.
        path: PNG file to write.
    """
    matrix = np.asarray(matrix)
    count = len(labels)
    if matrix.shape != (count, count):
        raise ValueError(f"matrix is {matrix.shape} for {count} labels")
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    size = float(np.clip(0.45 * count, 3.5, 16))
    warn_of_missing_characters(labels)
    names = [_shortened(label, 24) for label in labels]
    margin = 0.08 * max(map(len, names)) * (count <= LABELS_UP_TO)
    with style():
        figure = Figure(figsize=(size + margin + 1.6, size + margin + 0.8), layout="constrained")
        axes = figure.subplots()
        # The square root keeps a confusion of a few per cent visible.
        image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=1))
        _class_ticks(axes, names, font_size=min(9.0, 72 * 0.8 * size / count))
        if count <= COUNTS_UP_TO:
            _write_counts(axes, matrix, shares)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        figure.colorbar(image, label="share of the true class", shrink=0.8)
        write_figure(figure, path, dpi=150)


def _class_ticks(axes: Axes, names: Sequence[str], font_size: float) -> None:
    if len(names) > LABELS_UP_TO:
        return
    positions = range(len(names))
    axes.set_xticks(positions, names, rotation=90, fontsize=font_size)
    axes.set_yticks(positions, names, fontsize=font_size)


def _write_counts(axes: Axes, matrix: np.ndarray, shares: np.ndarray) -> None:
    max_digits = len(str(matrix.max()))
    for (row, column), value in np.ndenumerate(matrix):
        if value:
            colour = "white" if shares[row, column] > 0.3 else "black"
            font_size = min(9, 36 / max_digits)
            axes.text(
                column, row, str(value), ha="center", va="center", color=colour, fontsize=font_size
            )


def image_grid(
    images: Sequence[Any],
    captions: Sequence[str],
    path: str | os.PathLike,
    columns: int = 6,
) -> None:
    """Draws pictures of any sizes in a grid, a caption above each.

    Args:
        images: arrays (H, W, 3) or (H, W), uint8 or floats in 0..255.
        captions: one text per picture; may be empty texts.
        path: PNG file to write.
        columns: pictures in a row.
    """
    warn_of_missing_characters(captions)
    across = max(1, min(columns, len(images)))
    down = max(1, math.ceil(len(images) / across))
    lines = max([caption.count("\n") + 1 for caption in captions if caption], default=0)
    with style():
        figure = Figure(figsize=(2 * across, (2 + 0.16 * lines) * down), layout="constrained")
        grid = figure.subplots(down, across, squeeze=False)
        for axes in grid.flat:
            axes.set_axis_off()
        for axes, image, caption in zip(grid.flat, images, captions, strict=False):
            pixels = np.clip(np.round(np.asarray(image, "float32")), 0, 255).astype("uint8")
            axes.imshow(pixels.squeeze(), cmap="gray", vmin=0, vmax=255)
            shown = "\n".join(_shortened(line, 26) for line in caption.splitlines())
            axes.set_title(shown, fontsize=8)
        write_figure(figure, path)


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


@contextlib.contextmanager
def style() -> Iterator[None]:
    """User text is shown as it is ('$' starts no formula), in fonts that have its characters.

    Characters that no installed font has become boxes, without matplotlib's warning for each;
    see `warn_of_missing_characters`.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+")
        with matplotlib.rc_context({"text.parse_math": False, "font.family": families()}):
            yield


def write_figure(figure: Figure, path: str | os.PathLike, dpi: int = 120) -> None:
    """Writes a figure as a PNG file, atomically.

    Args:
        figure: drawn within `style`.
        path: file to write.
        dpi: int. Dots per inch.
    """
    FigureCanvasAgg(figure)
    with atomic_path(Path(path)) as temporary:
        figure.savefig(temporary, format="png", dpi=dpi)

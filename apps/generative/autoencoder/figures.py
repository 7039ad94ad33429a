"""Pictures of an evaluation: map of the codes, walk between pictures, errors."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from shared.report import plots
from shared.report.fonts import warn_of_missing_characters
from shared.report.mosaic import write_mosaic
from shared.report.projection import project

STEPS = 8  # codes on the way from one picture to another
WALKS = 4
WORST = 24
MAX_POINTS = 2000
MAX_COLOURS = 20


def pairs_of(labels: Sequence[str]) -> list[tuple[int, int]]:
    """The pictures that walks lead from and to: of different folders, where there are some.

    Args:
        labels: name of the folder of each of at least two pictures.
    """
    firsts = list({label: index for index, label in reversed(list(enumerate(labels)))}.values())
    chosen = sorted(firsts) if len(firsts) > 1 else list(range(len(labels)))
    return list(zip(chosen, chosen[1:], strict=False))[:WALKS]


def write_walk(
    pictures: np.ndarray,
    codes: np.ndarray,
    pairs: Sequence[tuple[int, int]],
    decode: Callable[[np.ndarray], np.ndarray],
    path: Path,
) -> None:
    """Draws what lies between two pictures: each row begins and ends with a real one.

    Args:
        pictures: uint8 (N, S, S, C).
        codes: float (N, Z).
        pairs: indices of the first and the last picture of each row.
        decode: codes to pictures.
        path: PNG file to write.
    """
    weights = np.linspace(0, 1, STEPS, dtype=np.float32)[:, np.newaxis]
    rows = []
    for first, last in pairs:
        made = decode((1 - weights) * codes[first] + weights * codes[last])
        rows += [pictures[first : first + 1], made, pictures[last : last + 1]]
    write_mosaic(np.concatenate(rows), path, columns=STEPS + 2)


def write_map(codes: np.ndarray, labels: Sequence[str], method: str, seed: int, path: Path) -> None:
    """Draws codes in two dimensions, coloured by the folder of their pictures.

    Args:
        codes: float (N, Z).
        labels: their folders.
        method: "pca" or "tsne".
        seed: int. Seed of t-SNE and of the choice where there are many.
        path: PNG file to write.
    """
    title = f"{len(codes):,} codes"
    if len(codes) > MAX_POINTS:
        chosen = np.sort(np.random.default_rng(seed).permutation(len(codes))[:MAX_POINTS])
        title = f"{MAX_POINTS:,} of {title}"
        codes, labels = codes[chosen], [labels[index] for index in chosen]
    points, names = project(codes, method, seed), sorted(set(labels))
    with plots.style():
        figure = Figure(figsize=(7, 6), layout="constrained")
        axes = figure.subplots()
        if 1 < len(names) <= MAX_COLOURS:
            warn_of_missing_characters(names)
            for number, name in enumerate(names):
                own = points[[label == name for label in labels]]
                axes.scatter(*own.T, s=9, color=f"C{number % 10}", alpha=0.7, label=name or "none",
                             marker="o" if number < 10 else "x")  # fmt: skip
            axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), markerscale=2)
        else:
            axes.scatter(*points.T, s=9, alpha=0.7)
        axes.set(xticks=[], yticks=[], title=f"{title}, {method}")
        plots.write_figure(figure, path)


def write_largest_errors(
    pictures: np.ndarray, made: np.ndarray, errors: np.ndarray, path: Path
) -> None:
    """Draws the pictures with the largest errors, each beside its reconstruction.

    Args:
        pictures, made: uint8 (N, S, S, C).
        errors: float (N,).
        path: PNG file to write.
    """
    worst = np.argsort(-errors, kind="stable")[:WORST]
    cells = [picture for index in worst for picture in (pictures[index], made[index])]
    captions = [text for index in worst for text in (f"error {errors[index]:.3g}", "made of it")]
    plots.image_grid(cells, captions, path, columns=8)


def write_errors(usual: np.ndarray, unusual: np.ndarray, path: Path) -> None:
    """Draws the errors of usual and unusual pictures as histograms over common bins.

    Args:
        usual, unusual: float (N,) and (M,), errors.
        path: PNG file to write.
    """
    edges = np.histogram_bin_edges(np.concatenate([usual, unusual]), bins=40)
    with plots.style():
        figure = Figure(figsize=(6, 4), layout="constrained")
        axes = figure.subplots()
        for errors, label in ((usual, "held out"), (unusual, "anomalies")):
            axes.hist(errors, edges, density=True, alpha=0.6, label=f"{label} ({len(errors):,})")
        axes.set(xlabel="error", ylabel="density")
        axes.legend()
        plots.write_figure(figure, path)

"""Galleries of translations: a grid for every epoch, and a page of all held-out images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from shared.image.png import png_bytes
from shared.report import plots
from shared.report.page import Page

# Pictures of a direction, left to right: real, fake, reconstructed, identity.
COLUMNS = {
    "a2b": ("real_a", "fake_b", "cycled_a", "same_a"),
    "b2a": ("real_b", "fake_a", "cycled_b", "same_b"),
}
TITLES = ("real", "fake", "reconstructed", "identity")
GRID_ROWS = 4
GALLERY_ROWS = 60
GAP = 4  # pixels between the pictures of a strip

Pictures = dict[str, np.ndarray]


def directions(pictures: Pictures) -> list[str]:
    """The directions of which there are translations: "a2b", "b2a" or both."""
    return [name for name, columns in COLUMNS.items() if columns[1] in pictures]


def write_grid(pictures: Pictures, path: Path) -> None:
    """Draws the first images of each direction.

    Args:
        pictures: name as in `COLUMNS` to uint8 (N, H, W, 3).
        path: PNG file to write.
    """
    cells, captions = [], []
    for direction in directions(pictures):
        columns = COLUMNS[direction]
        for row in range(min(GRID_ROWS, len(pictures[columns[0]]))):
            for name, title in zip(columns, TITLES, strict=True):
                cells.append(_picture(pictures, name, row))
                captions.append(f"{title} {name[-1].upper()}")
    plots.image_grid(cells, captions, path, columns=len(TITLES))


def write_gallery(pictures: Pictures, names: dict[str, Sequence[str]], path: Path) -> None:
    """Writes the page of held-out images: real, fake, reconstructed, identity side by side.

    Args:
        pictures: as for `write_grid`.
        names: "a" and "b" to a caption for each picture.
        path: HTML file to write.
    """
    page = Page("Translations of held-out images")
    page.text(f"From left to right: {', '.join(TITLES)}.")
    for direction in directions(pictures):
        source, target = direction[0], direction[-1]
        page.heading(f"{source.upper()} to {target.upper()}")
        page.pictures(
            [
                (_strip(pictures, direction, row), name)
                for row, name in enumerate(names[source][:GALLERY_ROWS])
            ],
            large=True,
        )
    page.write(path)


def _strip(pictures: Pictures, direction: str, row: int) -> bytes:
    """The pictures of one image in a row, as PNG."""
    return _in_a_row([_picture(pictures, name, row) for name in COLUMNS[direction]])


def side_by_side(paths: Sequence[Path]) -> bytes:
    """Picture files of equal height in a row, as PNG."""
    return _in_a_row([np.asarray(Image.open(path).convert("RGB")) for path in paths])


def _in_a_row(cells: Sequence[np.ndarray]) -> bytes:
    gap = np.full((cells[0].shape[0], GAP, 3), 255, np.uint8)
    parts = [part for cell in cells for part in (cell, gap)][:-1]
    return png_bytes(np.concatenate(parts, axis=1))


def _picture(pictures: Pictures, name: str, row: int) -> np.ndarray:
    """A picture; grey where only one direction was trained and there is none."""
    if name in pictures:
        return pictures[name][row]
    first = next(iter(pictures.values()))
    return np.full(first.shape[1:], 128, np.uint8)

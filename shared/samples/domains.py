"""Two domains of pictures without pairs: parts of photographs, and others by moonlight."""

from pathlib import Path

import numpy as np
from PIL import Image

from shared.samples.photos import read_photograph

SIDE = 72
HEIGHT = 144  # of the reduced photographs, so that a part shows more than a texture
COUNTS = {"train": 64, "test": 12}
PHOTOGRAPHS = {
    "train": (
        ("skimage.data", "astronaut"), ("skimage.data", "motorcycle_left"),
        ("skimage.data", "rocket"), ("sklearn.datasets.images", "china"),
        ("sklearn.datasets.images", "flower"),
    ),
    "test": (("skimage.data", "chelsea"), ("skimage.data", "coffee")),
}  # fmt: skip
# Rows give the red, green and blue by moonlight from those of the photograph: dark and blue.
MOONLIGHT = np.array([[0.30, 0.05, 0.00], [0.05, 0.40, 0.05], [0.10, 0.20, 0.60]])


def write_domains(folder: Path) -> str:
    """Writes trainA trainB testA testB: parts of photographs, 72x72 pixels.

    A shows the left halves as they were taken, B the right halves by moonlight, so that no picture
    of A has a partner in B. Tests are parts of other photographs than training.

    Returns:
        A line that says what was written.
    """
    generator = np.random.default_rng(0)
    for part, count in COUNTS.items():
        photographs = [_reduced(*names) for names in PHOTOGRAPHS[part]]
        for domain in "AB":
            target = folder / f"{part}{domain}"
            target.mkdir()
            taken: set[tuple[int, int, int]] = set()
            for index in range(count):
                number = index % len(photographs)
                pixels = _cut(photographs, number, domain, generator, taken)
                shown = pixels if domain == "A" else moonlit(pixels)
                Image.fromarray(shown).save(target / f"{index:03}.png")
    total = " and ".join(f"{count} {part}" for part, count in COUNTS.items())
    return f"{total} pictures of each domain: A as photographed, B by moonlight; nothing is paired"


def _reduced(package: str, name: str) -> np.ndarray:
    image = read_photograph(package, name)
    width = round(image.width * HEIGHT / image.height)
    return np.asarray(image.resize((width, HEIGHT), Image.Resampling.BICUBIC))


def _cut(photographs, number: int, domain: str, generator, taken: set) -> np.ndarray:
    """A random square of the half of a photograph that belongs to a domain, each square once."""
    photograph = photographs[number]
    middle = photograph.shape[1] // 2
    half = photograph[:, :middle] if domain == "A" else photograph[:, middle:]
    while True:
        top, left = (int(generator.integers(0, side - SIDE + 1)) for side in half.shape[:2])
        if (number, top, left) not in taken:
            break
    taken.add((number, top, left))
    return half[top : top + SIDE, left : left + SIDE]


def moonlit(pixels: np.ndarray) -> np.ndarray:
    """The picture as a camera would take it at night: uint8 (H, W, 3) to uint8 (H, W, 3)."""
    return np.uint8(np.round(pixels.astype(np.float64) @ MOONLIGHT.T))

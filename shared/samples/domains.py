"""Two domains of pictures without pairs: parts of photographs, and others in sepia."""

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

SIDE = 72
COUNTS = {"train": 64, "test": 12}
# Rows give the red, green and blue of a sepia print from those of the photograph.
SEPIA = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])


def write_domains(folder: Path) -> str:
    """Writes trainA trainB testA testB: parts of two photographs, 72x72 pixels.

    A shows the left halves as they were taken, B the right halves in sepia, so that no picture
    of A has a partner in B. Tests are cut from the lower quarter, training from what is above.

    Returns:
        A line that says what was written.
    """
    generator = np.random.default_rng(0)
    photographs = load_sample_images().images
    for domain in "AB":
        for part, count in COUNTS.items():
            target = folder / f"{part}{domain}"
            target.mkdir()
            for index in range(count):
                pixels = _cut(photographs[index % len(photographs)], domain, part, generator)
                shown = pixels if domain == "A" else sepia(pixels)
                Image.fromarray(shown).save(target / f"{index:03}.png")
    total = " and ".join(f"{count} {part}" for part, count in COUNTS.items())
    return f"{total} pictures of each domain: A as photographed, B in sepia; nothing is paired"


def _cut(photograph: np.ndarray, domain: str, part: str, generator) -> np.ndarray:
    """A random square of the half and the height that belong to a domain and a part."""
    height, width = photograph.shape[:2]
    half = photograph[:, : width // 2] if domain == "A" else photograph[:, width // 2 :]
    border = height * 3 // 4
    area = half[:border] if part == "train" else half[border:]
    top, left = (generator.integers(0, side - SIDE + 1) for side in area.shape[:2])
    return area[top : top + SIDE, left : left + SIDE]


def sepia(pixels: np.ndarray) -> np.ndarray:
    """The warm brown of old prints: uint8 (H, W, 3) to uint8 (H, W, 3)."""
    toned = pixels.astype(np.float64) @ SEPIA.T
    return np.uint8(np.clip(np.round(toned), 0, 255))

"""Handwritten digits of scikit-learn as PNG folders, a folder per digit."""

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits


def write_digits(folder: Path) -> str:
    """Writes 1,797 images of 8x8 pixels, enlarged to 16x16, into train/ val/ and unlabelled/.

    Returns:
        A line that says what was written.
    """
    digits = load_digits()
    counts = dict.fromkeys(("train", "val", "unlabelled"), 0)
    for index, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        # Every tenth image is held out; of those, every third has no label.
        part = "train" if index % 10 else ("val" if index % 30 else "unlabelled")
        target = folder / part / (str(label) if part != "unlabelled" else "")
        target.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(np.uint8(pixels * (255 / 16)))
        image.resize((16, 16), Image.Resampling.BICUBIC).save(target / f"digit-{index:04d}.png")
        counts[part] += 1
    return (
        f"{counts['train']} training and {counts['val']} validation images in ten classes, "
        f"{counts['unlabelled']} without label"
    )

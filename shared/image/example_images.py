"""Encoded pictures that need no file: what the export of a model of images is tried with."""

import io

import numpy as np
from PIL import Image

SIZES = (((48, 64), "JPEG"), ((40, 33), "PNG"))


def example_images(seed: int = 0) -> np.ndarray:
    """A JPEG and a PNG of unequal sizes, as an object array of bytes.

    Args:
        seed: int. Other seeds give other pictures.
    """
    generator = np.random.default_rng(seed)
    encoded = []
    for (height, width), kind in SIZES:
        coarse = generator.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        out = io.BytesIO()
        Image.fromarray(coarse).resize((width, height)).save(out, kind)
        encoded.append(out.getvalue())
    return np.array(encoded, dtype=object)

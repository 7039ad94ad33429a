"""Photographs that scikit-image and scikit-learn carry, in parts, for super-resolution.

Only files inside the installed packages are read: nothing is fetched.
"""

from importlib import resources
from pathlib import Path

from PIL import Image

PART = 320  # longest side of a part in pixels
MIN_SIDE = 96  # what is left at an end joins the part before it

# File names without their suffix; the parts of one photograph are all on one side.
TRAIN = {
    "skimage.data": (
        "astronaut", "brick", "camera", "coins", "grass", "gravel", "hubble_deep_field", "moon",
        "motorcycle_left", "retina", "rocket",
    ),
    "sklearn.datasets.images": ("flower",),
}  # fmt: skip
VALIDATION = {"skimage.data": ("chelsea", "coffee"), "sklearn.datasets.images": ("china",)}


def write_photos(folder: Path) -> str:
    """Writes parts of photographs as PNG into train/ and validation/.

    Returns:
        A line that says what was written.
    """
    counts = {}
    for part, packages in (("train", TRAIN), ("validation", VALIDATION)):
        (folder / part).mkdir(parents=True)
        photographs = [(package, name) for package, names in packages.items() for name in names]
        counts[part] = sum(_write_parts(*each, folder / part) for each in photographs)
    return (
        f"{counts['train']} parts of photographs to train on, {counts['validation']} of other "
        f"photographs to validate on"
    )


def read_photograph(package: str, name: str) -> Image.Image:
    """An RGB photograph inside an installed package, by its file name without the suffix."""
    (file,) = (f for f in resources.files(package).iterdir() if Path(f.name).stem == name)
    with resources.as_file(file) as path, Image.open(path) as opened:
        return opened.convert("RGB")


def _write_parts(package: str, name: str, folder: Path) -> int:
    """Cuts one photograph and returns the number of its parts."""
    image = read_photograph(package, name)
    boxes = [
        (left, top, right, bottom)
        for top, bottom in _cuts(image.height)
        for left, right in _cuts(image.width)
    ]
    for number, box in enumerate(boxes, start=1):
        image.crop(box).save(folder / f"{name}-{number:02}.png")
    return len(boxes)


def _cuts(side: int) -> list[tuple[int, int]]:
    """Beginning and end of each part of a side."""
    starts = list(range(0, max(side - MIN_SIDE, 1), PART))
    return list(zip(starts, [*starts[1:], side], strict=True))

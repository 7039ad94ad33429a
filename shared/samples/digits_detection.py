"""Handwritten digits of scikit-learn on cluttered pictures, with Pascal VOC annotations."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from sklearn.datasets import load_digits

SEED = 20
COUNTS = {"train": 240, "val": 60, "unlabelled": 12}
# Other handwriting is pasted into the pictures of the validation part.
HELD_OUT = 5
MAX_OVERLAP = 0.05


def write_digits_detection(folder: Path) -> str:
    """Writes 300 annotated pictures as VOC with train and val lists, and 12 in unlabelled/.

    Returns:
        A line that says what was written.
    """
    digits = load_digits()
    is_held_out = np.arange(len(digits.target)) % HELD_OUT == 0
    boxes = 0
    for number, (part, count) in enumerate(COUNTS.items()):
        choice = np.flatnonzero(is_held_out == (part != "train"))
        generator = np.random.default_rng([SEED, number])
        stems = [f"{part}-{index:03d}" for index in range(count)]
        for stem in stems:
            picture, objects = _picture(digits, choice, generator)
            _save(picture, folder / _images(part) / f"{stem}.jpg")
            if part != "unlabelled":
                _write_xml(folder / "Annotations" / f"{stem}.xml", stem, picture.size, objects)
                boxes += len(objects)
        if part != "unlabelled":
            text = "".join(f"{stem}\n" for stem in stems)
            _write(folder / "ImageSets" / "Main" / f"{part}.txt", text)
    return (
        f"{COUNTS['train']} training and {COUNTS['val']} validation pictures with {boxes} digits "
        f"as Pascal VOC, {COUNTS['unlabelled']} pictures without annotation"
    )


def _images(part):
    return part if part == "unlabelled" else "JPEGImages"


def _picture(digits, choice, generator):
    """A picture and its objects [(name, (left, top, right, bottom) in pixels)]."""
    width, height = (int(side) for side in generator.integers(200, 321, 2))
    pixels = np.asarray(_background(width, height, generator), np.float64)
    objects = []
    for _ in range(int(generator.integers(3, 9))):
        index = generator.choice(choice)
        ink = _ink(digits.images[index], generator)
        corner = _free_corner(ink.shape, (height, width), [box for _, box in objects], generator)
        if corner is None:
            continue
        left, top = corner
        bottom, right = top + ink.shape[0], left + ink.shape[1]
        patch = pixels[top:bottom, left:right]
        patch += ink[..., None] * (_contrasting(patch, generator) - patch)
        objects.append((str(digits.target[index]), (left, top, right, bottom)))
    pixels += generator.normal(0, 4, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), objects


def _background(width, height, generator):
    """A slope between two colours under shapes and strokes."""
    first, second = generator.integers(40, 216, (2, 3))
    slope = np.linspace(0, 1, width)[:, None] * (second - first) + first
    picture = Image.fromarray(np.uint8(np.broadcast_to(slope, (height, width, 3))))
    brush = ImageDraw.Draw(picture)
    for _ in range(int(generator.integers(6, 15))):
        colour = tuple(int(value) for value in generator.integers(40, 216, 3))
        x, y = int(generator.integers(-30, width)), int(generator.integers(-30, height))
        box = (x, y, x + int(generator.integers(15, 110)), y + int(generator.integers(15, 110)))
        kind = generator.integers(3)
        if kind == 0:
            brush.rectangle(box, fill=colour)
        elif kind == 1:
            brush.ellipse(box, fill=colour)
        else:
            brush.line(box, fill=colour, width=int(generator.integers(1, 6)))
    return picture


def _ink(digit, generator):
    """How much of each pixel a digit covers, 0 to 1, at a random size and cut to the ink."""
    side = int(np.exp(generator.uniform(np.log(26), np.log(96))))
    # A margin, or strokes at the rim would end in a straight cut.
    mask = Image.fromarray(np.uint8(np.pad(digit, 1) * (255 / 16)))
    mask = mask.resize((side * 10 // 8, side * 10 // 8), Image.Resampling.BICUBIC)
    if generator.random() < 0.4:
        angle = float(generator.uniform(-25, 25))
        mask = mask.rotate(angle, Image.Resampling.BICUBIC, expand=True)
    ink = np.clip((np.asarray(mask, np.float64) - 90) / 90, 0, 1)
    rows, columns = np.flatnonzero(ink.max(axis=1) > 0.3), np.flatnonzero(ink.max(axis=0) > 0.3)
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _free_corner(size, picture_size, taken, generator):
    """(left, top) at which little of any digit is covered, or None."""
    height, width = size
    for _ in range(30):
        left = int(generator.integers(0, picture_size[1] - width + 1))
        top = int(generator.integers(0, picture_size[0] - height + 1))
        box = (left, top, left + width, top + height)
        if all(_overlap(box, other) <= MAX_OVERLAP for other in taken):
            return left, top
    return None


def _overlap(a, b):
    """The shared part of the smaller box."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return max(width, 0) * max(height, 0) / min(areas)


def _contrasting(patch, generator):
    """A colour that is much darker or lighter than a patch."""
    is_dark = patch.mean() < 128
    return generator.integers(215, 256, 3) if is_dark else generator.integers(0, 41, 3)


def _save(picture, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, quality=90)


def _write_xml(path, stem, size, objects):
    """VOC counts corners from 1 and includes the last pixel."""
    rows = "".join(
        f"  <object><name>{name}</name><truncated>0</truncated><difficult>0</difficult>"
        f"<bndbox><xmin>{left + 1}</xmin><ymin>{top + 1}</ymin>"
        f"<xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>\n"
        for name, (left, top, right, bottom) in objects
    )
    _write(
        path,
        f"<annotation>\n  <folder>JPEGImages</folder><filename>{stem}.jpg</filename>\n"
        f"  <size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>\n"
        f"{rows}</annotation>\n",
    )


def _write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")

"""Points in four clouds, of which those that lie across belong together: exclusive or."""

from pathlib import Path

import numpy as np

from shared.common.files import write_text

TRAIN, UNLABELLED, SPREAD = 400, 100, 0.18


def write_xor(folder: Path) -> str:
    """Writes `train.csv` (columns x, y, class) and `unlabelled.csv`.

    No line parts the classes, so that a perceptron without a hidden layer cannot tell them apart
    ([Minsky and Papert, 1969](https://mitpress.mit.edu/9780262630221/perceptrons/)).
    """
    generator = np.random.default_rng(7)
    corners = generator.integers(0, 2, (TRAIN + UNLABELLED, 2))
    points = np.round(corners + generator.normal(0, SPREAD, corners.shape), 4).tolist()
    classes = ["odd" if left != right else "even" for left, right in corners.tolist()]
    rows = [f"{x},{y},{name}\n" for (x, y), name in zip(points, classes, strict=True)]
    write_text(folder / "train.csv", "".join(["x,y,class\n", *rows[:TRAIN]]))
    rest = "".join(f"{x},{y}\n" for x, y in points[TRAIN:])
    write_text(folder / "unlabelled.csv", f"x,y\n{rest}")
    return f"{TRAIN} points in two classes, {UNLABELLED} without a class"

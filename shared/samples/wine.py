"""Chemical analyses of wines of three growers, which scikit-learn carries."""

import csv
import io
from pathlib import Path

from sklearn.datasets import load_wine

from shared.common.files import write_text

# Every tenth wine has no grower.
UNLABELLED = 10


def write_wine(folder: Path) -> str:
    """Writes `train.csv` (13 numbers and the column grower) and `unlabelled.csv`."""
    wine = load_wine()
    names = list(wine.feature_names)
    growers = [f"grower {number + 1}" for number in wine.target.tolist()]
    rows = list(zip(wine.data.tolist(), growers, strict=True))
    known = [
        [*numbers, grower] for index, (numbers, grower) in enumerate(rows) if index % UNLABELLED
    ]
    unknown = [numbers for numbers, _ in rows[::UNLABELLED]]
    write_text(folder / "train.csv", _table([*names, "grower"], known))
    write_text(folder / "unlabelled.csv", _table(names, unknown))
    return f"{len(known)} wines of three growers, {len(unknown)} of an unknown one"


def _table(names: list[str], rows: list[list]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([names, *rows])
    return out.getvalue()

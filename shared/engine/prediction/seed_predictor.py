"""Batch inference of generators: each line of a text file is a seed, and its result a picture."""

from collections.abc import Sequence
from pathlib import Path

from shared.common.errors import KerasuiteError
from shared.common.files import write_text
from shared.engine.prediction.predictor import Predictor
from shared.text.line_files import count_lines, raw_line, split_lines

LOWEST, HIGHEST = -(2**63), 2**63 - 1
SEEDS = "seeds.txt"  # what `write_seeds` writes


class SeedPredictor(Predictor):
    """Lines `SEED` or `SEED<TAB>CLASS` to PNG files.

    Line n of `a/b.txt` becomes `pictures/a/b.txt/00000n.png`. A line without a class takes, of a
    model with classes, the one whose number is the seed modulo their number.

    Args:
        classes: names of the classes that the model knows; empty if it knows none.
        signature: name of the signature that takes `seed`, and `label` with classes.
    """

    suffixes = (".txt", ".tsv", ".gz")
    unit = "line"
    outputs = ("image_bytes",)

    def __init__(self, classes: Sequence[str] = (), signature: str = "serving_default"):
        self.classes, self.signature = list(classes), signature
        self.inputs = ("seed", "label") if classes else ("seed",)

    def split(self, source):
        return split_lines(source)

    def count(self, source):
        return count_lines(source)

    def read(self, source):
        seed, label = self._parsed(source)
        return {"seed": seed, "label": label.encode()} if self.classes else {"seed": seed}

    def _parsed(self, source) -> tuple[int, str]:
        number, tab, label = raw_line(source).strip("\ufeff\n\r ").partition("\t")
        try:
            seed = int(number)
        except ValueError:
            raise KerasuiteError(
                f"'{number[:40]}' is no seed; a line is a whole number, or a number, a tab and a "
                f"class"
            ) from None
        if not LOWEST <= seed <= HIGHEST:
            raise KerasuiteError(
                f"seed {number[:40]} does not fit into 64 bits; take a smaller one"
            )
        if tab and not self.classes:
            raise KerasuiteError("the model has no classes; leave the class out")
        if self.classes and not tab:
            label = self.classes[seed % len(self.classes)]
        if tab:
            require_class(label, self.classes, "class")
        return seed, label

    def record(self, source, outputs):
        seed, label = self._parsed(source)
        named = {"label": label} if self.classes else {}
        return {"seed": seed, **named, "image": _name_of(source)}

    def files(self, source, outputs):
        return {_name_of(source): outputs["image_bytes"]}

    def pictures(self, row, source, folder):
        label = f" {row['label']}" if self.classes else ""
        return [(folder / row["image"], f"{row['seed']}{label}")]


def _name_of(source) -> str:
    return f"pictures/{source.name}/{source.line:06d}.png"


def require_class(label: str, classes: Sequence[str], named: str) -> None:
    """Raises KerasuiteError if a model has no such class.

    Args:
        label: name of the class.
        classes: those of the model.
        named: the option or field that gave it.
    """
    if not classes:
        raise KerasuiteError(f"{named} {label}: the model has no classes; leave it out")
    if label not in classes:
        some = ", ".join(classes[:20]) + (", …" if len(classes) > 20 else "")
        raise KerasuiteError(f"{named} {label}: is no class of the model; one of {some}")


def write_seeds(
    folder: Path, count: int, first: int, label: str = "", overwrite: bool = False
) -> Path:
    """Writes the lines that `SeedPredictor` reads: one seed after the other.

    Args:
        folder: where `seeds.txt` is written.
        count: int. Number of lines.
        first: int. The first seed.
        label: class of all pictures, or "".
        overwrite: whether other seeds may be replaced.

    Raises:
        KerasuiteError: if other seeds are there.
    """
    path = folder / SEEDS
    ending = f"\t{label}\n" if label else "\n"
    text = "".join(f"{seed}{ending}" for seed in range(first, first + count))
    is_used = (folder / "predictions.jsonl").exists()
    if is_used and not overwrite and not (path.exists() and path.read_text("utf-8") == text):
        raise KerasuiteError(
            f"{folder}: holds other pictures; choose another --output, or add --overwrite"
        )
    write_text(path, text)
    return path

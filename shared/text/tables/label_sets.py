"""Several labels in one cell, or in columns of 0 and 1."""

import dataclasses
import json
from collections.abc import Collection, Mapping, Sequence

# The kinds of labels of an example: one class, or any number of labels.
SINGLE, MULTILABEL = "single", "multilabel"
# Separators of labels, the first that fits is taken; a list of JSON needs none.
SEPARATORS = (";", ",")
# Of the labels in cells with several, the share that also stand alone in other cells.
_ALONE = 0.5
_TRUTH = {"0": False, "1": True, "0.0": False, "1.0": True}


@dataclasses.dataclass(frozen=True)
class LabelCells:
    """How cells hold labels.

    Attributes:
        kind: "single", "multilabel", or "auto" to recognise it by the cells.
        separator: between the labels of a cell; "" to recognise it.
    """

    kind: str = "auto"
    separator: str = ""


def labels_in(cell: str, separator: str) -> tuple[str, ...]:
    """The labels of a cell, each once, in their order.

    >>> labels_in("b; a;;b", ";"), labels_in('["a", 3]', ";"), labels_in("", ";")
    (('b', 'a'), ('a', '3'), ())
    """
    parts = _json_list(cell)
    if parts is None:
        parts = cell.split(separator) if separator else [cell]
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def recognised(cells: Collection[str], separators: Sequence[str] = SEPARATORS) -> LabelCells:
    """Whether cells hold several labels: the parts of some stand alone in others, or all are lists.

    >>> recognised(["good", "funny", "good,funny"])
    LabelCells(kind='multilabel', separator=',')
    >>> recognised(["Paris, France", "Oslo, Norway"])
    LabelCells(kind='single', separator='')
    """
    cells = {cell for cell in cells if cell}
    if cells and all(_json_list(cell) is not None for cell in cells):
        return LabelCells(MULTILABEL, separators[0])
    for separator in separators:
        joined = {cell for cell in cells if len(labels_in(cell, separator)) > 1}
        parts = {part for cell in joined for part in labels_in(cell, separator)}
        if parts and len(parts & (cells - joined)) >= _ALONE * len(parts):
            return LabelCells(MULTILABEL, separator)
    return LabelCells(SINGLE)


def separator_of(cells: Collection[str], separators: Sequence[str] = SEPARATORS) -> str:
    """The separator of cells that are known to hold several labels; the first if none has one."""
    present = (one for one in separators if any(one in cell for cell in cells))
    return next(present, separators[0])


def joined_by(cells: Collection[str], separators: Sequence[str] = SEPARATORS) -> int:
    """Number of different cells that could hold several labels."""
    return sum(any(len(labels_in(cell, one)) > 1 for one in separators) for cell in {*cells})


def truth_of(cell: str | None) -> bool | None:
    """The truth value of a cell 0 or 1; None for any other."""
    return _TRUTH.get((cell or "").strip())


def truth_columns(columns: Mapping[str, Sequence[str | None]]) -> list[str]:
    """The columns that hold 0 and 1 and nothing else; none if there is only one."""
    found = [
        name
        for name, cells in columns.items()
        if cells and all(truth_of(cell) is not None for cell in cells)
    ]
    return found if len(found) > 1 else []


def labels_of_row(row: Mapping[str, str | None]) -> tuple[str, ...]:
    """The names of the columns in which a row has a 1."""
    return tuple(name for name, cell in row.items() if truth_of(cell))


def label_set_sizes(label_sets: Sequence[Sequence[str]], things: str) -> str:
    """A line on how many labels examples have.

    >>> label_set_sizes([("a",), ("a", "b"), ()], "texts")
    '1.00 labels in the mean; 1 of 3 texts have several, 1 have none'
    """
    sizes = [len(labels) for labels in label_sets]
    several, none = sum(size > 1 for size in sizes), sum(size == 0 for size in sizes)
    return (
        f"{sum(sizes) / max(len(sizes), 1):.2f} labels in the mean; {several:,} of {len(sizes):,} "
        f"{things} have several, {none:,} have none"
    )


def _json_list(cell: str) -> list[str] | None:
    if not cell.startswith("["):
        return None
    try:
        values = json.loads(cell)
    except ValueError:
        return None
    plain = isinstance(values, list) and all(isinstance(value, str | int) for value in values)
    return [str(value) for value in values] if plain else None

"""Everything that is learnt of the columns of a table; it travels with the model as JSON."""

import dataclasses
import keyword
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shared.common.files import read_json, write_json

NUMBER, BOOLEAN, DATE, CATEGORY, IGNORED = "number", "boolean", "date", "category", "ignored"
# Kinds that become a number, in the order of their slots.
NUMERIC = (NUMBER, BOOLEAN, DATE)
FILE = "columns.json"
# Places of a category before those of its values.
OTHER, MISSING_PLACE, FIRST_VALUE = 0, 1, 2


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of inputs; the figures are those of the training rows.

    Attributes:
        name: its name.
        kind: one of the names above.
        reason: why it is ignored.
        decimal_comma: whether its numbers are written like 3,5.
        date_format: name in `dates.FORMATS`.
        has_time: whether its dates have a time of the day.
        missing: int. Training rows without a value.
        low, median, high: of its numbers.
        mean, deviation: of its numbers.
        quantiles: of its numbers, equally spaced; none where they are scaled by their deviation.
        values: of a category, the frequent ones, in order.
        rare: int. Number of other values of a category.
    """

    name: str
    kind: str
    reason: str = ""
    decimal_comma: bool = False
    date_format: str = ""
    has_time: bool = False
    missing: int = 0
    low: float = 0.0
    median: float = 0.0
    high: float = 0.0
    mean: float = 0.0
    deviation: float = 1.0
    quantiles: tuple[float, ...] = ()
    values: tuple[str, ...] = ()
    rare: int = 0

    @property
    def cycles(self) -> int:
        """Number of sines and cosines of a date."""
        return (6 if self.has_time else 4) if self.kind == DATE else 0


@dataclasses.dataclass(frozen=True)
class Target:
    """The columns that are predicted.

    Attributes:
        names: their names.
        classes: names of the classes; none where numbers are predicted.
        means, deviations: of the numbers of each column in the training rows.
        decimal_comma: whether numbers are written like 3,5.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...] = ()
    means: tuple[float, ...] = ()
    deviations: tuple[float, ...] = ()
    decimal_comma: bool = False

    @property
    def outputs(self) -> int:
        """Number of outputs of the network."""
        return len(self.classes) or len(self.names)


@dataclasses.dataclass(frozen=True)
class Slots:
    """Where a column stands in the features: indices of numbers, and of a category or None."""

    numbers: tuple[int, ...] = ()
    category: int | None = None


@dataclasses.dataclass(frozen=True)
class Schema:
    """The columns and the target of a table."""

    columns: tuple[Column, ...]
    target: Target

    @property
    def inputs(self) -> tuple[Column, ...]:
        """The columns that are not ignored, in the order of the file."""
        return tuple(column for column in self.columns if column.kind != IGNORED)

    @property
    def input_names(self) -> dict[str, str]:
        """Name of each column that is not ignored to that of its input in a SavedModel.

        TensorFlow takes the names that Python has for variables, with a letter first.
        """
        found: dict[str, str] = {}
        for column in self.inputs:
            name = "".join(c if f"_{c}".isidentifier() else "_" for c in column.name)
            if not name[0].isalpha() or keyword.iskeyword(name):
                name = f"column_{name}"
            number, unique = 1, name
            while unique in found.values():
                number, unique = number + 1, f"{name}_{number + 1}"
            found[column.name] = unique
        return found

    @property
    def numeric(self) -> tuple[Column, ...]:
        """The columns that become a number each, in the order of the slots."""
        return numeric_of(self.columns)

    @property
    def categories(self) -> tuple[Column, ...]:
        """The columns that are categories."""
        return of_kind(self.columns, CATEGORY)

    @property
    def category_sizes(self) -> tuple[int, ...]:
        """Places of each category: other values, no value, and its values."""
        return tuple(FIRST_VALUE + len(column.values) for column in self.categories)

    def slots(self) -> dict[str, Slots]:
        """Name of each column to its slots: numbers, then who is missing, then cycles of dates."""
        numeric = self.numeric
        places: dict[str, list[int]] = {c.name: [i] for i, c in enumerate(numeric)}
        end = len(numeric)
        for column in numeric:
            if column.missing:
                places[column.name].append(end)
                end += 1
        for column in numeric:
            places[column.name] += range(end, end + column.cycles)
            end += column.cycles
        found = {name: Slots(tuple(indices)) for name, indices in places.items()}
        found |= {c.name: Slots(category=i) for i, c in enumerate(self.categories)}
        return {column.name: found[column.name] for column in self.inputs}

    @property
    def number_slots(self) -> int:
        """Number of slots of numbers."""
        return sum(len(slots.numbers) for slots in self.slots().values())

    def save(self, path: Path) -> None:
        """Writes the schema as JSON."""
        write_json(path, dataclasses.asdict(self))


def load_schema(path: Path) -> Schema:
    """Reads what `Schema.save` wrote."""
    values = read_json(path)
    columns = tuple(Column(**_tuples(column)) for column in values["columns"])
    return Schema(columns, Target(**_tuples(values["target"])))


def numeric_of(columns: Sequence[Column]) -> tuple[Column, ...]:
    """The columns that become a number each: numbers, then truth values, then dates."""
    return tuple(column for kind in NUMERIC for column in of_kind(columns, kind))


def of_kind(columns: Sequence[Column], kind: str) -> tuple[Column, ...]:
    """The columns of one kind."""
    return tuple(column for column in columns if column.kind == kind)


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}

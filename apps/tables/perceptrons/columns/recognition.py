"""Kinds of columns, recognised by their values, or given by `--columns FILE`."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from apps.tables.perceptrons.columns.schema import (
    BOOLEAN,
    CATEGORY,
    DATE,
    IGNORED,
    NUMBER,
    Column,
)
from shared.common.config import did_you_mean
from shared.common.errors import KerasuiteError
from shared.common.yaml_files import load_yaml
from shared.text.tables.cell_values import has_decimal_commas
from shared.text.tables.cells import BOOLEANS, MISSING, TRUTH, is_infinite, number_fault, number_of
from shared.text.tables.dates import (
    FORMATS,
    RECOGNISED,
    date_fault,
    days_of,
    find_format,
    formats_of,
    has_time,
)

# A column with this share of numbers, or of dates, is one of these; its other cells are faults.
MOST = 0.95
# A few values are a category however few rows there are.
FEW = 10
IGNORE = "ignore"
KINDS = (NUMBER, CATEGORY, BOOLEAN, DATE, IGNORE)


@dataclasses.dataclass(frozen=True)
class Recognised:
    """A column as it was recognised.

    Attributes:
        column: without the figures of the training rows.
        faults: cell to what is wrong with it, for the cells that do not fit the kind.
        note: a line for the user, or "".
    """

    column: Column
    faults: Mapping[str, str] = dataclasses.field(default_factory=dict)
    note: str = ""


def recognise(name: str, cells: Sequence[str], wanted: str = "") -> Recognised:
    """Recognises a column.

    Args:
        name: its name.
        cells: all its cells, clean.
        wanted: what `--columns` says of it, or "".

    Raises:
        KerasuiteError: if its dates have several formats, or `wanted` is not what they are.
    """
    counts = Counter(cells)
    total = len(cells)
    for word in MISSING & counts.keys():
        del counts[word]
    present = counts.total()
    if wanted == IGNORE:
        return _ignored(name, "as --columns says")
    if not present:
        return _ignored(name, "all values are missing")
    if len(counts) == 1 and present == total:
        return _ignored(name, f"all values are '{next(iter(counts))}'")
    kind, _, format = wanted.partition(" ")
    if not kind:
        kind = _guess(counts, present)
    if kind == NUMBER:
        return _number(name, counts, present)
    if kind == DATE:
        return _date(name, counts, format)
    if kind == BOOLEAN:
        return _boolean(name, counts)
    if kind == CATEGORY:
        return Recognised(Column(name, CATEGORY))
    return _ignored(name, f"text: {len(counts):,} different values in {present:,} rows")


def _ignored(name: str, reason: str) -> Recognised:
    return Recognised(Column(name, IGNORED, reason))


def _guess(counts: Counter[str], present: int) -> str:
    commas = has_decimal_commas(list(counts))
    if _share(counts, lambda cell: _is_number(cell, commas)) >= MOST:
        return NUMBER
    if any({cell.lower() for cell in counts} <= set(pair) for pair in BOOLEANS):
        return BOOLEAN
    if _share(counts, formats_of) >= MOST:
        return DATE
    return CATEGORY if len(counts) <= max(FEW, present / 2) else IGNORED


def _is_number(cell: str, decimal_comma: bool) -> bool:
    return number_of(cell, decimal_comma) is not None or is_infinite(cell)


def _share(counts: Counter[str], fits) -> float:
    """The share of cells that fit."""
    return sum(count for cell, count in counts.items() if fits(cell)) / counts.total()


def _number(name: str, counts: Counter[str], present: int) -> Recognised:
    commas = has_decimal_commas(list(counts))
    faults = {cell: fault for cell in counts if (fault := number_fault(name, cell, commas))}
    note = ""
    if len(counts) == present > 2 * FEW and all(cell.isdecimal() for cell in counts):
        note = (
            f"column '{name}': whole numbers, all different; if they are ids, write "
            f"`{name}: ignore` into a file for --columns"
        )
    if commas:
        note = f"column '{name}': the numbers have decimal commas"
    return Recognised(Column(name, NUMBER, decimal_comma=commas), faults, note)


def _boolean(name: str, counts: Counter[str]) -> Recognised:
    faults = {cell: boolean_fault(name, cell) for cell in counts}
    return Recognised(Column(name, BOOLEAN), {c: fault for c, fault in faults.items() if fault})


def boolean_fault(name: str, cell: str) -> str:
    """Reason why a cell is no truth value, or ""."""
    if cell.lower() in TRUTH:
        return ""
    return f"'{cell}' in column '{name}' is neither true nor false"


def _date(name: str, counts: Counter[str], format: str) -> Recognised:
    formats = (format,) if format else RECOGNISED
    dates = [cell for cell in counts if any(days_of(cell, f) is not None for f in formats)]
    found = format or find_format(dates)
    if not dates:
        raise KerasuiteError(
            f"column '{name}': has no dates such as {', '.join(formats)}; change --columns"
        )
    if not found:
        first = min(dates, key=lambda cell: len(formats_of(cell)))
        other = next(cell for cell in dates if formats_of(first)[0] not in formats_of(cell))
        raise KerasuiteError(
            f"column '{name}': has dates in two formats, '{first}' and '{other}'; write all in "
            f"one, or write `{name}: ignore` into a file for --columns"
        )
    faults = {cell: fault for cell in counts if (fault := date_fault(name, cell, found))}
    timed = any(has_time(cell, found) for cell in counts)
    note = ""
    both = {"DD/MM/YYYY", "MM/DD/YYYY"}
    if not format and found in both and all(both <= set(formats_of(cell)) for cell in dates):
        note = (
            f"column '{name}': its dates are read as {found}; if the month comes first, write "
            f"`{name}: date MM/DD/YYYY` into a file for --columns"
        )
    return Recognised(Column(name, DATE, date_format=found, has_time=timed), faults, note)


def fault_of(column: Column, cell: str) -> str:
    """Reason why a clean cell does not fit its column, or ""."""
    if column.kind == CATEGORY or cell in MISSING:
        return ""
    if column.kind == NUMBER:
        return number_fault(column.name, cell, column.decimal_comma)
    if column.kind == BOOLEAN:
        return boolean_fault(column.name, cell)
    return date_fault(column.name, cell, column.date_format)


def read_column_kinds(path: str, names: Iterable[str]) -> dict[str, str]:
    """The kinds of columns in the file of `--columns`.

    Args:
        path: YAML file of `NAME: KIND` lines; "" for none.
        names: of the columns of the table.

    Raises:
        KerasuiteError: if it names another column, or an unknown kind.
    """
    if not path:
        return {}
    found = load_yaml(path, as_text=True)
    if not isinstance(found, dict):
        raise KerasuiteError(f"{path}: must hold `NAME: KIND` lines, KIND {', '.join(KINDS)}")
    names = list(names)
    for name, kind in found.items():
        if name not in names:
            raise KerasuiteError(
                f"{path}: the table has no column '{name}'{did_you_mean(name, names)}"
            )
        word, _, format = str(kind).partition(" ")
        if word not in KINDS or (format and (word != DATE or format not in FORMATS)):
            raise KerasuiteError(
                f"{path}: {name}: '{kind}' is no kind; one of {', '.join(KINDS)}, or `date` with "
                f"one of {', '.join(FORMATS)}"
            )
    return {name: str(kind) for name, kind in found.items()}

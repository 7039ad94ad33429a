"""Times of a series: their column, their format, and whole numbers for them."""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from shared.common.errors import KerasuiteError
from shared.text.tables.cells import MISSING, number_of
from shared.text.tables.dates import (
    FORMATS,
    RECOGNISED,
    date_fault,
    days_of,
    find_format,
    formats_of,
    has_time,
    shown_date,
)
from shared.text.tables.table_rows import shown_names

# Months, and times that are numbers: years, steps.
MONTH, NUMBER = "YYYY-MM", "number"
MOST = 0.95
SECONDS_PER_DAY = 86400
MAX_NUMBER = 2**53
_MONTH = re.compile(r"[0-9]{4}-[0-9]{1,2}")
_EPOCH = datetime(1970, 1, 1)


@dataclasses.dataclass(frozen=True)
class TimeColumn:
    """The column of times.

    Attributes:
        name: its name.
        format: name in `dates.FORMATS`, "YYYY-MM" or "number".
        has_time: whether there are times of the day.
    """

    name: str
    format: str
    has_time: bool = False

    def parse(self, cell: str) -> int | None:
        """Seconds since 1970 of a clean cell, or its number; None if it is no such time."""
        if self.format == NUMBER:
            number = number_of(cell)
            is_whole = number is not None and abs(number) <= MAX_NUMBER and number == int(number)
            return int(number) if is_whole else None
        days = days_of(*_as_date(cell, self.format))
        return None if days is None else round(days * SECONDS_PER_DAY)

    def fault(self, cell: str) -> str:
        """Reason why a clean cell is no such time, or ""."""
        if cell in MISSING:
            return f"the time '{self.name}' is missing"
        if self.parse(cell) is not None:
            return ""
        if self.format == NUMBER:
            return f"'{cell}' in column '{self.name}' is no whole number"
        return date_fault(self.name, *_as_date(cell, self.format)) or (
            f"'{cell}' in column '{self.name}' is no date like {self.format}"
        )

    def shown(self, seconds: int) -> str:
        """A time as the files have it.

        >>> TimeColumn("date", "YYYY-MM-DD", has_time=True).shown(90061)
        '1970-01-02 01:01:01'
        """
        if self.format == NUMBER:
            return str(seconds)
        moment = _EPOCH + timedelta(seconds=seconds)
        if self.format == MONTH:
            return f"{moment:%Y-%m}"
        date = shown_date(seconds // SECONDS_PER_DAY, self.format)
        return f"{date} {moment:%H:%M:%S}" if self.has_time else date


def _as_date(cell: str, format: str) -> tuple[str, str]:
    """A month as its first day; other cells unchanged."""
    if format != MONTH:
        return cell, format
    return (f"{cell}-01" if _MONTH.fullmatch(cell) else ""), "YYYY-MM-DD"


def find_time_column(columns: dict[str, Iterable[str]], wanted: str, skip: Sequence[str] = ()):
    """The column of times, and a line for the user or "".

    Args:
        columns: name to clean cells.
        wanted: what `--time` names, or "".
        skip: names of columns that are something else.

    Raises:
        KerasuiteError: if there is none, or its dates have two formats.
    """
    if wanted:
        return _recognise(wanted, Counter(columns[wanted]), may_be_number=True)
    found, others = None, []
    for name in columns:
        if name not in skip and _share_of_dates(counts := Counter(columns[name])) >= MOST:
            if found is None:
                found = _recognise(name, counts)
            else:
                others.append(name)
    if found is None:
        raise KerasuiteError(
            f"no column with times is there ({shown_names(list(columns))}); name it with --time, "
            f"dates such as {', '.join(RECOGNISED[:3])}, or whole numbers"
        )
    column, note = found
    if others:
        note = f"column '{column.name}' has the times; others with dates: {shown_names(others)}"
    return column, note


def _share_of_dates(counts: Counter[str]) -> float:
    present = {cell: count for cell, count in counts.items() if cell not in MISSING}
    are_dates = sum(n for cell, n in present.items() if _MONTH.fullmatch(cell) or formats_of(cell))
    return are_dates / sum(present.values()) if present else 0.0


def _recognise(name: str, counts: Counter[str], may_be_number: bool = False):
    cells = [cell for cell in counts if cell not in MISSING]
    if may_be_number and cells and all(number_of(cell) is not None for cell in cells):
        return TimeColumn(name, NUMBER), ""
    if cells and sum(bool(_MONTH.fullmatch(cell)) for cell in cells) >= MOST * len(cells):
        return TimeColumn(name, MONTH), ""
    dates = [cell for cell in cells if formats_of(cell)]
    if not dates:
        raise KerasuiteError(
            f"--time {name}: has no dates such as {', '.join(RECOGNISED)}, and no whole numbers; "
            f"name another column"
        )
    format = find_format(dates)
    if not format:
        first = min(dates, key=lambda cell: len(formats_of(cell)))
        other = next(cell for cell in dates if formats_of(first)[0] not in formats_of(cell))
        raise KerasuiteError(
            f"column '{name}': has dates in two formats, '{first}' and '{other}'; write all in one"
        )
    both = {"DD/MM/YYYY", "MM/DD/YYYY"}
    note = ""
    if format in both and all(both <= set(formats_of(cell)) for cell in dates):
        note = (
            f"column '{name}': its dates are read as {format}; if the month comes first, write "
            f"them as YYYY-MM-DD"
        )
    assert format in FORMATS
    return TimeColumn(name, format, any(has_time(cell, format) for cell in dates)), note

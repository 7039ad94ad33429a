"""Dates and times in the formats that tables have, as days since 1970."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import tensorflow as tf

from shared.text.tables.cells import parsed

_TIME = r"(?:[T ]([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.[0-9]+)?)?(?:Z|\+00:?00)?)?"
_FOUR, _TWO = "([0-9]{4})", "([0-9]{1,2})"
# Name to (pattern, places of year, month and day among its groups); an ISO time may follow.
FORMATS: dict[str, tuple[str, tuple[int, int, int]]] = {
    "YYYY-MM-DD": (f"{_FOUR}-{_TWO}-{_TWO}{_TIME}", (1, 2, 3)),
    "YYYY/MM/DD": (f"{_FOUR}/{_TWO}/{_TWO}{_TIME}", (1, 2, 3)),
    "YYYYMMDD": (r"([0-9]{4})([0-9]{2})([0-9]{2})" + _TIME, (1, 2, 3)),
    "DD.MM.YYYY": (rf"{_TWO}\.{_TWO}\.{_FOUR}{_TIME}", (3, 2, 1)),
    "DD/MM/YYYY": (f"{_TWO}/{_TWO}/{_FOUR}{_TIME}", (3, 2, 1)),
    "MM/DD/YYYY": (f"{_TWO}/{_TWO}/{_FOUR}{_TIME}", (3, 1, 2)),
    "DD-MM-YYYY": (f"{_TWO}-{_TWO}-{_FOUR}{_TIME}", (3, 2, 1)),
}
# Eight digits are a number unless --columns says that they are a date.
RECOGNISED = tuple(name for name in FORMATS if name != "YYYYMMDD")
_PATTERNS = {name: re.compile(pattern) for name, (pattern, _) in FORMATS.items()}
_EPOCH = datetime(1970, 1, 1)
DAY, WEEK, YEAR = 1.0, 7.0, 365.2425


def days_of(cell: str, format: str) -> float | None:
    """Days since 1970 of a clean cell, its time as a fraction; None if it is no such date.

    >>> days_of("1970-01-02 12:00", "YYYY-MM-DD"), days_of("31/02/2024", "DD/MM/YYYY")
    (1.5, None)
    """
    found = _PATTERNS[format].fullmatch(cell)
    if not found:
        return None
    year, month, day = (int(found[place]) for place in FORMATS[format][1])
    hour, minute, second = (int(found[place] or 0) for place in (4, 5, 6))
    try:
        moment = datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None
    return (moment - _EPOCH).total_seconds() / 86400


def has_time(cell: str, format: str) -> bool:
    """Whether a cell in this format has a time of the day."""
    found = _PATTERNS[format].fullmatch(cell)
    return bool(found and found[4])


def find_format(cells: Sequence[str]) -> str:
    """The first format that all cells have, or ""."""
    return next((n for n in RECOGNISED if all(days_of(c, n) is not None for c in cells)), "")


def formats_of(cell: str) -> list[str]:
    """The formats that a cell has."""
    return [name for name in RECOGNISED if days_of(cell, name) is not None]


def date_fault(name: str, cell: str, format: str) -> str:
    """Reason why a cell is no date of a format, or "".

    Args:
        name: of the column.
        cell: clean, not missing.
        format: of the column.
    """
    if days_of(cell, format) is not None:
        return ""
    return f"'{cell}' in column '{name}' is no date like {format}"


# === The same in the graph ===


def days_in_graph(cells: tf.Tensor, format: str) -> tf.Tensor:
    """`days_of` of clean cells.

    Args:
        cells: string tensor (N,).
        format: name in `FORMATS`.

    Returns:
        float64 tensor (N,), NaN where a cell is no such date.
    """
    pattern, places = FORMATS[format]
    are_dates = tf.strings.regex_full_match(cells, pattern)

    def part(place):
        text = tf.strings.regex_replace(cells, f"^{pattern}$", rf"\{place}")
        return parsed(tf.where(are_dates & (text != ""), text, "0"), are_dates)

    year, month, day = (part(place) for place in places)
    hour, minute, second = (part(place) for place in (4, 5, 6))
    is_real = are_dates & (day >= 1) & (month >= 1) & (month <= 12)
    is_real &= (day <= _month_length(year, month)) & (year >= 1)
    is_real &= (hour < 24) & (minute < 60) & (second < 60)
    days = _days_before(year, month) + day + (hour + (minute + second / 60) / 60) / 24
    return tf.where(is_real, days, tf.constant(np.nan, tf.float64))


def _days_before(year: tf.Tensor, month: tf.Tensor) -> tf.Tensor:
    """Days from 1970 to the eve of a month, in the Gregorian calendar.

    Years begin in March, so that the leap day is their last; see
    [Hinnant, 2021](https://howardhinnant.github.io/date_algorithms.html).
    """
    year = tf.where(month <= 2, year - 1, year)
    month = tf.where(month <= 2, month + 9, month - 3)
    leap_days = year // 4 - year // 100 + year // 400
    return 365 * year + leap_days + (153 * month + 2) // 5 - 719469


def _month_length(year: tf.Tensor, month: tf.Tensor) -> tf.Tensor:
    following = tf.where(month >= 12, year + 1, year)
    return _days_before(following, month % 12 + 1) - _days_before(year, month)


def cycles(days: tf.Tensor, has_time: bool) -> tf.Tensor:
    """Sine and cosine of the place in the year and the week, and in the day if there are times.

    Args:
        days: float64 tensor (N,), finite.
        has_time: bool.

    Returns:
        float64 tensor (N, 4), or (N, 6).
    """
    periods = (YEAR, WEEK, DAY) if has_time else (YEAR, WEEK)
    angles = [2 * np.pi * days / period for period in periods]
    return tf.stack([wave(angle) for angle in angles for wave in (tf.sin, tf.cos)], axis=1)


def shown_date(days: float, format: str) -> str:
    """The date of a number of days since 1970, in a format.

    >>> shown_date(1.5, "DD.MM.YYYY")
    '02.01.1970'
    """
    date = _EPOCH + timedelta(days=days)
    parts = {"YYYY": f"{date.year:04}", "MM": f"{date.month:02}", "DD": f"{date.day:02}"}
    for name, text in parts.items():
        format = format.replace(name, text)
    return format

"""The step of a series: its recognition, and the places of times on the grid that it makes."""

import calendar
import dataclasses
import re
from datetime import date, datetime, timedelta

import numpy as np

from apps.tables.forecast.times import MONTH, NUMBER, SECONDS_PER_DAY
from shared.common.errors import KerasuiteError

# Unit to its seconds. Months have no constant length, working days leave out week-ends.
SECONDS = {"s": 1, "min": 60, "h": 3600, "d": SECONDS_PER_DAY, "w": 7 * SECONDS_PER_DAY}
MONTHS = {"mo": 1, "q": 3, "y": 12}
WORKING_DAYS, STEP = "b", "step"
UNITS = {**{unit: unit for unit in ("s", "min", "h", "d", "w", "mo", "q", "y", "b")},
         "sec": "s", "t": "min", "m": "mo", "a": "y"}  # fmt: skip
NAMES = {"s": "second", "min": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month",
         "q": "quarter", "y": "year", "b": "working day", STEP: "step"}  # fmt: skip
MONDAY = 4  # 1970 began on a Thursday.
# Steps of a season by unit: a day of hours, a week of days, a year of months.
SEASONS = {"d": 7, "w": 52, "b": 5, "mo": 12, "q": 4}
_EPOCH = datetime(1970, 1, 1)


@dataclasses.dataclass(frozen=True)
class Frequency:
    """Steps of equal length, and where they begin.

    Attributes:
        count: int. Units of a step.
        unit: one of the names above.
        anchor: int. A time on the grid: seconds since 1970, or a number.
    """

    count: int
    unit: str
    anchor: int = 0

    def __str__(self) -> str:
        return f"{self.count} {NAMES[self.unit]}{'s' if self.count > 1 else ''}"

    @property
    def season(self) -> int:
        """Steps of the usual season; 1 where there is none."""
        if self.unit in ("s", "min", "h"):
            step = self.count * SECONDS[self.unit]
            return max(1, SECONDS_PER_DAY // step)
        return max(1, SEASONS.get(self.unit, 1) // self.count)

    def places(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places of times on the grid, and which of them are on it.

        Args:
            times: int array (N,), seconds since 1970 or numbers.

        Returns:
            int array and bool array (N,).
        """
        times = np.asarray(times, np.int64)
        if self.unit in MONTHS:
            return self._months(times)
        if self.unit == WORKING_DAYS:
            return self._working_days(times)
        step = self.count * SECONDS.get(self.unit, 1)
        return (times - self.anchor) // step, (times - self.anchor) % step == 0

    def time(self, place: int) -> int:
        """The time at a place on the grid."""
        if self.unit in MONTHS:
            return self._month_at(place)
        if self.unit == WORKING_DAYS:
            weeks, day = divmod(self._first_weekday() + place, 5)
            monday = self.anchor // SECONDS_PER_DAY - self._first_weekday()
            return (monday + 7 * weeks + day) * SECONDS_PER_DAY + self.anchor % SECONDS_PER_DAY
        return self.anchor + place * self.count * SECONDS.get(self.unit, 1)

    # === Months: the day of the anchor, or the last one of shorter months ===

    def _months(self, times):
        anchor, step = _month_of(self.anchor), self.count * MONTHS[self.unit]
        months = np.array([_month_of(time) for time in times.tolist()], np.int64)
        places = (months - anchor) // step
        expected = np.array([self._month_at(place) for place in places.tolist()], np.int64)
        return places, expected == times

    def _month_at(self, place: int) -> int:
        moment = _moment(self.anchor)
        months = _month_of(self.anchor) + place * self.count * MONTHS[self.unit]
        year, month = months // 12, months % 12 + 1
        last = calendar.monthrange(year, month)[1]
        is_end = moment.day == calendar.monthrange(moment.year, moment.month)[1]
        day = last if is_end else min(moment.day, last)
        days = (date(year, month, day) - _EPOCH.date()).days
        return days * SECONDS_PER_DAY + self.anchor % SECONDS_PER_DAY

    # === Working days ===

    def _first_weekday(self) -> int:
        return _weekday(self.anchor // SECONDS_PER_DAY)

    def _working_days(self, times):
        days, rests = times // SECONDS_PER_DAY, times % SECONDS_PER_DAY
        first = self._first_weekday()
        monday = self.anchor // SECONDS_PER_DAY - first
        weeks, weekdays = (days - monday) // 7, (days - monday) % 7
        places = weeks * 5 + np.minimum(weekdays, 4) - first
        return places, (weekdays < 5) & (rests == self.anchor % SECONDS_PER_DAY)


def _weekday(day):
    """0 for Monday to 6, of days since 1970."""
    return (day - MONDAY) % 7


def _moment(seconds: int) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)


def _month_of(seconds: int) -> int:
    moment = _moment(seconds)
    return 12 * moment.year + moment.month - 1


# === Recognition ===


def parse_frequency(text: str, format: str, anchor: int) -> Frequency:
    """The frequency that `--frequency` names.

    Args:
        text: such as "15min", "h" or, of numbers, "10".
        format: of the times.
        anchor: int. A time on the grid.

    Raises:
        KerasuiteError: if it is no frequency of such times.
    """
    found = re.fullmatch(r"([0-9]*) *([a-z]*)", text.strip().lower())
    count, unit = (int(found[1] or 1), found[2]) if found else (0, "")
    if format == NUMBER:
        if count < 1 or unit:
            raise KerasuiteError(f"--frequency {text}: the times are numbers; give one, such as 1")
        return Frequency(count, STEP, anchor)
    unit = UNITS.get(unit, "")
    if count < 1 or not unit or (unit == WORKING_DAYS and count > 1):
        raise KerasuiteError(
            f"--frequency {text}: give a number and s, min, h, d, b (one working day), w, mo, q or "
            f"y, such as 15min"
        )
    return Frequency(count, unit, anchor)


def find_frequency(times: np.ndarray, format: str) -> Frequency:
    """The step between most neighbours.

    Args:
        times: sorted int array (N,) of different times of one series, N > 1.
        format: of the times.
    """
    differences = np.diff(times)
    values, counts = np.unique(differences, return_counts=True)
    step, anchor = int(values[counts.argmax()]), int(times[0])
    if format == NUMBER:
        return Frequency(step, STEP, anchor)
    if format == MONTH or step >= 28 * SECONDS_PER_DAY:
        return _in_months(times, differences)
    is_long = times[-1] - times[0] >= 7 * SECONDS_PER_DAY
    if step == SECONDS_PER_DAY and is_long and (_weekday(times // SECONDS_PER_DAY) < 5).all():
        return Frequency(1, WORKING_DAYS, anchor)
    unit = next(unit for unit in ("w", "d", "h", "min", "s") if step % SECONDS[unit] == 0)
    return Frequency(step // SECONDS[unit], unit, anchor)


def _in_months(times, differences) -> Frequency:
    months = np.diff([_month_of(time) for time in times.tolist()])
    values, counts = np.unique(months, return_counts=True)
    count = int(values[counts.argmax()])
    step = int(np.median(differences))
    if count < 1:
        return Frequency(max(1, step // SECONDS_PER_DAY), "d", int(times[0]))
    # A last day of a month may stand for the last of all, or for its number.
    anchor = max(times.tolist(), key=lambda time: (_moment(time).day, -time))
    anchor = Frequency(1, "mo", anchor)
    first = _month_of(int(times[0])) - _month_of(anchor.anchor)
    unit = next(unit for unit in ("y", "q", "mo") if count % MONTHS[unit] == 0)
    return Frequency(count // MONTHS[unit], unit, anchor.time(first))

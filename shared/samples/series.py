"""Hourly series of two cities: a day and a week, a trend, an offer that is known beforehand."""

import csv
import io
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from shared.common.files import write_text

DAYS, AHEAD = 84, 24
FIRST = datetime(2024, 1, 1)
# Level, growth in all, height of the day, effect of an offer, noise.
CITIES = {"Bern": (200.0, 40.0, 80.0, 60.0, 12.0), "Genf": (20.0, -4.0, 6.0, 9.0, 1.0)}
HEADER = ("time", "city", "offer", "visits", "load")
# A few hours are missing, as in files of meters.
MISSING = range(700, 704)


def write_series(folder: Path) -> str:
    """Writes `train.csv` and, of the last three weeks and the day after them, `next.csv`."""
    generator = np.random.default_rng(11)
    rows = [row for name in CITIES for row in _rows(name, generator)]
    _write(folder / "train.csv", [row for row in rows if row[3] != ""])
    last = FIRST + timedelta(days=DAYS - 21)
    _write(folder / "next.csv", [row for row in rows if row[0] >= f"{last}"])
    return f"{DAYS} days of hours in {len(CITIES)} cities, and a day after them to predict"


def _rows(name: str, generator: np.random.Generator) -> list[list]:
    level, growth, day_height, effect, noise = CITIES[name]
    hours = np.arange(24 * DAYS + AHEAD)
    offer = np.repeat(generator.random(DAYS + AHEAD // 24) < 0.2, 24) * (hours % 24 >= 9)
    day = np.sin(2 * np.pi * (hours % 24 - 8) / 24) + 0.4 * np.sin(4 * np.pi * (hours % 24) / 24)
    week_end = hours // 24 % 7 >= 5
    # What is left of yesterday's weather.
    weather = np.zeros(len(hours))
    for hour in range(1, len(hours)):
        weather[hour] = 0.95 * weather[hour - 1] + generator.normal()
    visits = level + growth * hours / len(hours) + day_height * day * np.where(week_end, 0.5, 1.0)
    visits = visits + effect * offer + noise * weather + noise * generator.normal(size=len(hours))
    load = 0.3 * visits + 5 * np.cos(2 * np.pi * (hours % 168) / 168) * level / 100
    rows = []
    for hour in hours.tolist():
        time = FIRST + timedelta(hours=hour)
        known = [f"{visits[hour]:.2f}", f"{load[hour]:.2f}"] if hour < 24 * DAYS else ["", ""]
        if hour not in MISSING:
            rows.append([f"{time}", name, int(offer[hour]), *known])
    return rows


def _write(path: Path, rows: list[list]) -> None:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([HEADER, *rows])
    write_text(path, out.getvalue())

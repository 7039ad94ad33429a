"""The time-series part of `kerasuite demo`."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from apps.tables.forecast.evaluation.pictures import Shown, forecasts


def demonstrate(demo) -> Path:
    """Hourly series of two cities, with an offer that is known beforehand."""
    page, data, run = demo.page, demo.folder / "series", demo.folder / "run"
    page.text(
        "Visits and load of two cities by the hour, with a few hours missing. A linear layer over "
        "time (NLinear) and the offers, which are known beforehand, give three quantiles of the "
        "next day; beside them stand forecasts that repeat the last value and the last day."
    )
    demo.command("samples", "series", data)
    columns = ("--series", "city", "--future", "offer")
    demo.command("forecast", "check", data / "train.csv", *columns)
    demo.command(
        "forecast", "train", data / "train.csv", *columns, "--preset", "tiny",
        "--quantiles", "0.1,0.5,0.9", "--output", run,
    )  # fmt: skip
    metrics = demo.json(run / "metrics.json")
    names = ("mse", "mae", "mase", "pinball")
    ways = {"": "NLinear", "naive_": "last value", "naive_seasonal_": "last day"}
    page.table(
        [[shown, *(metrics[f"{way}{name}"] for name in names)] for way, shown in ways.items()],
        ["", *names],
    )
    pictures = ("forecasts", "errors_ahead", "backtest", "quantiles")
    page.pictures(
        [(run / "plots" / f"{name}.png", name.replace("_", " ")) for name in pictures], large=True
    )
    predictions, cover = demo.folder / "predictions", demo.folder / "next.png"
    demo.command("forecast", "predict", run, data / "next.csv", "--output", predictions)
    rows = demo.lines(predictions / "predictions.jsonl")
    forecasts([_shown(row, data / "next.csv") for row in rows], ["visits"], cover)
    page.pictures([(cover, "The day after the last one")], large=True)
    return cover


def _shown(row: dict[str, Any], file: Path) -> Shown:
    """A forecast of visits behind what its file has of them."""
    with open(file, newline="", encoding="utf-8") as lines:
        known = [
            float(cells["visits"])
            for cells in csv.DictReader(lines)
            if cells["city"] == row["series"] and cells["visits"]
        ]
    quantiles = np.stack([each["visits"] for each in row["quantiles"].values()], axis=-1)
    forecast = np.array(row["forecast"]["visits"])
    return Shown(
        f"{row['series']}, {row['times'][0]}",
        np.array(known)[:, None],
        None,
        forecast[:, None],
        quantiles[:, None],
    )

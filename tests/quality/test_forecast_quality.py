"""Trainings on real series beside naive forecasts: `make quality`."""

import gzip
import json
import time
from datetime import date, timedelta

import pytest

from shared.testing.app_test import expect_success, kerasuite
from tests.quality.results import write_result

pytestmark = pytest.mark.quality

# Twelve months of hours to train on, four to validate on, four to test on.
SPLIT = ("--split-steps", "8640,2880,2880")
TEST_WINDOWS = 2880 - 96 + 1
HIGHEST = {"nlinear": 0.385, "dlinear": 0.385, "transformer": 0.40, "lstm": 0.50}


def trained(run, *arguments):
    """The figures of the test part, and the time of training."""
    started = time.perf_counter()
    expect_success(kerasuite("forecast", "train", *arguments, "--output", run, timeout=3600))
    seconds = time.perf_counter() - started
    metrics = json.loads((run / "metrics.json").read_text())
    print(f"\n{arguments}: {metrics} in {seconds:.0f} s")
    return metrics, seconds


@pytest.mark.parametrize("preset", HIGHEST)
def test_etth1(preset, real_data, tmp_path):
    """All seven columns, scaled by the training months; every test window."""
    data = real_data / "ett" / "ETTh1.csv"
    metrics, seconds = trained(tmp_path / "run", data, *SPLIT, "--preset", preset)
    write_result(
        f"forecast-etth1-{preset}",
        f"kerasuite forecast train ETTh1.csv {' '.join(SPLIT)} --preset {preset}",
        "ETTh1, 12/4/4 months, seven columns, 336 hours read, 96 predicted", "MSE; MAE (scaled)",
        f"{metrics['mse']:.3f}; {metrics['mae']:.3f} (last value {metrics['naive_mse']:.3f}; "
        f"{metrics['naive_mae']:.3f})",
        seconds, "NLinear 0.374; 0.394, DLinear 0.375; 0.399, FEDformer 0.376; 0.419",
    )  # fmt: skip
    assert metrics["windows"] == TEST_WINDOWS
    assert metrics["mse"] <= HIGHEST[preset]


def test_exchange_rates(real_data, tmp_path):
    """Eight rates by working day; nothing is expected to beat the last value by much."""
    with gzip.open(real_data / "exchange_rate" / "exchange_rate.txt.gz", "rt") as file:
        rows = file.read().split()
    # The file has no dates: a day for each row, from 1990 on.
    names = "australia,britain,canada,switzerland,china,japan,new_zealand,singapore"
    lines = [f"{date(1990, 1, 1) + timedelta(days=index)},{row}" for index, row in enumerate(rows)]
    data = tmp_path / "exchange_rate.csv"
    data.write_text("\n".join([f"date,{names}", *lines]) + "\n")
    options = ("--preset", "nlinear", "--history", 96, "--learning-rate", 5e-4, "--epochs", 10)
    metrics, seconds = trained(tmp_path / "run", data, *options)
    write_result(
        "forecast-exchange-rate",
        f"kerasuite forecast train exchange_rate.csv {' '.join(map(str, options))}",
        "exchange_rate, 70/10/20 %, eight columns, 96 days read, 96 predicted", "MSE; MAE (scaled)",
        f"{metrics['mse']:.3f}; {metrics['mae']:.3f} (last value {metrics['naive_mse']:.3f}; "
        f"{metrics['naive_mae']:.3f})",
        seconds, "Zeng et al., 2023: NLinear 0.089; 0.208, last value 0.081; 0.196",
    )  # fmt: skip
    assert metrics["windows"] == round(0.2 * len(rows)) - 96 + 1
    assert metrics["mse"] < 1.1 * metrics["naive_mse"]
    assert "last value" in (tmp_path / "run" / "README.md").read_text()

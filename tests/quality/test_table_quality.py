"""Trainings on real tables beside gradient-boosted trees: `make quality`."""

import gzip
import json
import time

import pytest

from shared.testing.app_test import expect_success, kerasuite
from tests.quality.results import write_result

pytestmark = pytest.mark.quality


def split(lines, folder):
    """Writes every fifth row into `test.csv` and the others into `train.csv`."""
    header, *rows = lines
    for name, part in (
        ("train.csv", [row for index, row in enumerate(rows) if index % 5]),
        ("test.csv", rows[::5]),
    ):
        (folder / name).write_text("\n".join([header, *part]) + "\n")
    return folder / "train.csv", folder / "test.csv"


def evaluated(train, test, run, *options):
    """The figures on rows that neither weights nor epochs were chosen by; the time of training."""
    started = time.perf_counter()
    expect_success(kerasuite("table", "train", train, *options, "--output", run, timeout=3600))
    seconds = time.perf_counter() - started
    expect_success(kerasuite("table", "evaluate", run, test))
    metrics = json.loads((run / "evaluation" / "metrics.json").read_text())
    print(f"\n{options}: {metrics} in {seconds:.0f} s")
    return metrics, seconds


@pytest.mark.parametrize("preset", ["mlp-plr", "ft-transformer"])
def test_california_housing(preset, real_data, tmp_path):
    """RMSE in dollars of a fifth of the rows, beside that of trees."""
    lines = (real_data / "california_housing" / "train.csv").read_text().splitlines()
    train, test = split(lines, tmp_path)
    options = ("--target", "median_house_value", "--preset", preset)
    metrics, seconds = evaluated(train, test, tmp_path / "run", *options)
    write_result(
        f"table-california-housing-{preset}",
        f"kerasuite table train train.csv --target median_house_value --preset {preset}",
        "California housing, every fifth row held out", "RMSE in dollars",
        f"{metrics['rmse']:,.0f} (HistGradientBoosting {metrics['trees_rmse']:,.0f})", seconds,
        "another split: MLP 49,850, FT-Transformer 45,910, XGBoost 43,340",
    )  # fmt: skip
    assert metrics["rmse"] <= 1.05 * metrics["trees_rmse"]


def test_adult(real_data, tmp_path):
    """Accuracy on a fifth of the rows, beside that of trees."""
    with gzip.open(real_data / "adult" / "train.csv.gz", "rt") as file:
        train, test = split(file.read().splitlines(), tmp_path)
    options = ("--target", "income", "--preset", "mlp")
    metrics, seconds = evaluated(train, test, tmp_path / "run", *options)
    write_result(
        "table-adult-mlp", "kerasuite table train train.csv --target income --preset mlp",
        "Adult (census income), every fifth row held out", "accuracy",
        f"{metrics['accuracy']:.3f} (HistGradientBoosting {metrics['trees_accuracy']:.3f})",
        seconds, "another split: MLP 0.852, XGBoost 0.872",
    )  # fmt: skip
    assert metrics["accuracy"] >= 0.850

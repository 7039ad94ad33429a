"""Prediction of the rows of a large CSV beside pandas and scikit-learn, and its memory.

pandas is no part of the project: KERASUITE_PANDAS names a Python that has it and scikit-learn.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from shared.testing.processes import expect_success, kerasuite
from tests.bench.classification import peak_of_prediction
from tests.bench.measure import ROOT, Result

ROWS, FEW = 1_000_000, 100_000
NUMBERS, CATEGORIES = 8, ("north", "south", "east", "west")
# The same work in the usual way, on the same file: read in blocks, scaled, predicted, written.
REFERENCE = """
import json, sys, time
import numpy as np, pandas
from sklearn.compose import make_column_transformer
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
training, rows, output = sys.argv[1:]
table = pandas.read_csv(training)
columns = [name for name in table if name.startswith("x")]
model = make_pipeline(
    make_column_transformer((StandardScaler(), columns), (OneHotEncoder(), ["region"])),
    MLPRegressor((256, 256), max_iter=1),
)
model.fit(table.drop(columns="y"), table["y"])
started = time.perf_counter()
with open(output, "w") as file:
    for block in pandas.read_csv(rows, chunksize=10_000):
        found = model.predict(block)
        file.writelines(json.dumps({"prediction": value}) + "\\n" for value in found.tolist())
print(time.perf_counter() - started)
"""


def prediction() -> Result:
    """Rows a second from a CSV to predictions; ours with the start and the loading of the model."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = _trained(folder)
        _write(folder / "rows.csv", ROWS)
        started = time.perf_counter()
        done = kerasuite("table", "predict", model, folder / "rows.csv", "--output", folder / "out")
        expect_success(done)
        ours = ROWS / (time.perf_counter() - started)
        theirs = _reference(folder)
    shown = f"pandas and scikit-learn {theirs:,.0f}" if theirs else "no pandas here"
    return Result(
        f"rows/s of table predict, a CSV of {ROWS:,} rows", ours, " rows/s", floor=10_000,
        details=f"{shown}, an MLP of 256, 256",
    )  # fmt: skip


def memory() -> Result:
    """Peak memory of a prediction of ten times as many rows."""
    with tempfile.TemporaryDirectory() as name:
        folder, peaks = Path(name), {}
        model = _trained(folder)
        for count in (FEW // 10, FEW):
            rows = folder / f"{count}.csv"
            _write(rows, count)
            peaks[count] = peak_of_prediction(model, rows, folder / f"out{count}", task="table")
    few, many = peaks.values()
    return Result(
        f"peak memory of table predict, {FEW:,} rows / {FEW // 10:,} rows", many / few,
        ceiling=1.1, details=f"{many / 1024:,.0f} and {few / 1024:,.0f} MiB",
    )  # fmt: skip


def _trained(folder: Path) -> Path:
    _write(folder / "train.csv", 2000)
    run = folder / "run"
    training = ("table", "train", folder / "train.csv", "--target", "y", "--preset", "mlp",
                "--epochs", 1, "--output", run)  # fmt: skip
    expect_success(kerasuite(*training))
    expect_success(kerasuite("table", "export", run, "--output", folder / "models"))
    return folder / "models" / "table" / "run"


def _write(path: Path, rows: int) -> None:
    """Writes numbers and a category, and what they give."""
    generator = np.random.default_rng(rows)
    names = [f"x{index}" for index in range(NUMBERS)]
    with open(path, "w") as file:
        file.write(",".join([*names, "region", "y"]) + "\n")
        for begin in range(0, rows, 10_000):
            count = min(10_000, rows - begin)
            x = generator.normal(size=(count, NUMBERS)).round(4)
            regions = generator.integers(0, len(CATEGORIES), count)
            y = (x.sum(axis=1) + regions).round(4)
            file.writelines(
                f"{','.join(map(str, row))},{CATEGORIES[region]},{target}\n"
                for row, region, target in zip(
                    x.tolist(), regions.tolist(), y.tolist(), strict=True
                )
            )


def _reference(folder: Path) -> float | None:
    """Rows a second of pandas and scikit-learn; None where no Python has both."""
    for python in (os.environ.get("KERASUITE_PANDAS"), sys.executable):
        if not python:
            continue
        command = [python, "-c", REFERENCE, *map(str, (folder / "train.csv", folder / "rows.csv",
                                                       folder / "theirs.jsonl"))]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        if done.returncode == 0:
            return ROWS / float(done.stdout.split()[-1])
    return None

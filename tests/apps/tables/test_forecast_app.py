"""The application from the command line: learning, figures, prediction, bad input."""

import csv
import json
import re

import numpy as np
import pytest
import tensorflow as tf

from shared.samples.registry import write_sample
from tests.in_process import run_command


def forecast(*arguments, code=0):
    done = run_command("forecast", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def error_of(*arguments, code=1):
    done = forecast(*arguments, code=code)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("kerasuite: ")]
    return line.removeprefix("kerasuite: ")


def metrics_of(run):
    return json.loads((run / "metrics.json").read_text())


def rows_of(folder, name="predictions.jsonl"):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def read_csv(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))


def hours(count, begin=0):
    times = np.datetime64("2024-01-01T00") + np.arange(begin, begin + count)
    return [str(time).replace("T", " ") + ":00" for time in times]


def waves(count, begin=0):
    """Two waves of a day, which differ in height and level."""
    steps = np.arange(begin, begin + count)
    angle = 2 * np.pi * steps / 24
    return np.stack([100 + 20 * np.sin(angle), 5 + np.cos(angle)], axis=1)


def write_waves(path, count, begin=0, header="time,high,low", values=None):
    values = waves(count, begin) if values is None else values
    rows = zip(hours(count, begin), values.tolist(), strict=True)
    lines = [f"{time},{high:.6f},{low:.6f}" for time, (high, low) in rows]
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """NLinear on two waves, which it knows by heart, and its export."""
    folder = tmp_path_factory.mktemp("waves")
    data = write_waves(folder / "train.csv", 240)
    done = forecast(
        "train", data, "--preset", "test", "--architecture", "nlinear",
        "--history", 30, "--horizon", 6, "--epochs", 40,
        "--learning-rate", 0.05, "--validate-every", 20, "--output", folder / "run",
    )  # fmt: skip
    assert "warning" not in done.stderr
    forecast("export", folder / "run", "--output", folder / "saved_models")
    return folder


def test_waves_are_learnt_by_heart(trained):
    metrics = metrics_of(trained / "run")
    # Hours 192 to 239 are the test part.
    assert metrics["windows"] == 48 - 6 + 1
    assert metrics["mse"] < 1e-4 < metrics["naive_mse"] and metrics["real_mae"] < 0.1
    # The last day, repeated, is right too: so its error is that of the rounding.
    assert metrics["naive_seasonal_mae"] < 1e-5
    assert set(metrics["per_target"]) == {"high", "low"}
    artifacts = json.loads((trained / "run" / "artifacts.json").read_text())
    assert artifacts["frequency"] == "1 hour" and artifacts["season"] == 24
    plots = {path.name for path in (trained / "run" / "plots").iterdir()}
    assert plots == {"curves.png", "forecasts.png", "errors_ahead.png", "backtest.png"}
    backtest = read_csv(trained / "run" / "samples" / "backtest.csv")
    assert len(backtest) == 44 and backtest[1][1] == "2024-01-09 00:00:00"
    assert "with the lowest `val_mse`" in (trained / "run" / "README.md").read_text()


def test_the_figures_of_other_data_are_those_of_numpy(trained, tmp_path):
    """Every window of a noisy file, through the SavedModel, in the units of the data."""
    values = waves(60, begin=500) + np.random.default_rng(0).normal(size=(60, 2))
    other = write_waves(tmp_path / "other.csv", 60, 500, values=values)
    forecast("evaluate", trained / "run", other)
    metrics = metrics_of(trained / "run" / "evaluation")
    loaded = tf.saved_model.load(str(trained / "saved_models" / "forecast" / "run" / "1"))
    predict = loaded.signatures["serving_default"]
    origins = np.arange(30, 60 - 6 + 1)
    history = np.stack([values[origin - 30 : origin] for origin in origins])
    truth = np.stack([values[origin : origin + 6] for origin in origins])
    found = predict(history=tf.constant(history, tf.float32))
    assert set(found) == {"forecast"} and metrics["windows"] == len(origins)
    errors, deviations = found["forecast"].numpy() - truth, waves(240)[:168].std(axis=0)
    assert metrics["real_mae"] == pytest.approx(np.abs(errors).mean(), rel=1e-4)
    assert metrics["mse"] == pytest.approx(np.mean((errors / deviations) ** 2), rel=1e-4)
    naive = np.abs((values[origins - 1][:, None] - truth) / deviations).mean()
    assert metrics["naive_mae"] == pytest.approx(naive, rel=1e-4)
    assert predict(history=tf.zeros([0, 30, 2]))["forecast"].shape == (0, 6, 2)
    short = write_waves(tmp_path / "short.csv", 30)
    assert "no series has 36 steps in a row" in error_of("evaluate", trained / "run", short)


def test_files_are_forecast_and_bad_ones_named(trained, tmp_path):
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    write_waves(folder / "deep" / "b.csv", 40, begin=7)
    lines = write_waves(folder / "gap.csv", 40).read_text().splitlines()
    (folder / "gap.csv").write_text("\n".join(lines[:20] + lines[21:]) + "\n")
    (folder / "long.csv").write_text("\n".join(lines[:6] + lines[35:]) + "\n")
    write_waves(folder / "short.csv", 10)
    write_waves(folder / "column.csv", 40, header="time,high,other")
    (folder / "word.csv").write_text("\n".join([*lines[:35], "2024-01-02 10:00,much,1"]) + "\n")
    (folder / "empty.csv").write_text("")
    model = trained / "saved_models" / "forecast" / "run"
    forecast("predict", model, folder, "--output", tmp_path / "out", "--format", "csv", code=3)
    good, filled = rows_of(tmp_path / "out")
    assert good["file"] == "deep/b.csv" and good["times"] == [f"{t}:00" for t in hours(6, 47)]
    expected = waves(6, 47)
    np.testing.assert_allclose(good["forecast"]["high"], expected[:, 0], atol=0.3)
    np.testing.assert_allclose(good["forecast"]["low"], expected[:, 1], atol=0.02)
    assert filled["file"] == "gap.csv" and filled["filled_values"] == 2
    found = read_csv(tmp_path / "out" / "forecasts" / "deep" / "b.csv")
    assert found[0] == ["time", "high", "low"] and len(found) == 7
    assert [float(row[1]) for row in found[1:]] == good["forecast"]["high"]
    errors = {row["file"]: row["error"] for row in rows_of(tmp_path / "out", "errors.jsonl")}
    assert "has no column 'low'" in errors["column.csv"]
    assert "is empty" in errors["empty.csv"]
    assert "24 of its last 30 steps are in gaps longer than 24" in errors["long.csv"]
    assert errors["short.csv"] == "has 10 steps; the model reads 30, give more rows"
    assert errors["word.csv"] == "line 36: 'much' in column 'high' is no number"
    assert len(errors) == 5


# === Several series, columns known beforehand, quantiles ===


@pytest.fixture(scope="module")
def cities(tmp_path_factory):
    """The sample, with a recurrent run that predicts quantiles."""
    folder = tmp_path_factory.mktemp("cities")
    write_sample("series", folder / "data")
    forecast(
        "train", folder / "data" / "train.csv", "--series", "city", "--future", "offer",
        "--preset", "test", "--horizon", 24, "--history", 24, "--architecture", "lstm",
        "--quantiles", "0.9,0.5,0.1", "--batch-size", 64, "--epochs", 2, "--learning-rate", 0.02,
        "--output", folder / "run",
    )  # fmt: skip
    return folder


def test_quantiles_of_cities_beat_the_last_value(cities):
    metrics = metrics_of(cities / "run")
    assert metrics["pinball"] < metrics["naive_pinball"] and metrics["mase"] > 0
    assert 0.4 < metrics["coverage"] < 1 and metrics["coverage_wanted"] == pytest.approx(0.8)
    assert list(metrics["per_quantile"]) == ["0.1", "0.5", "0.9"]
    assert set(metrics["per_series"]) == {"Bern", "Genf"}
    assert metrics["per_series"]["Bern"]["windows"] == metrics["windows"] / 2
    assert (cities / "run" / "plots" / "quantiles.png").exists()
    # Four hours of each city are missing: they are filled, said, and count nowhere.
    artifacts = json.loads((cities / "run" / "artifacts.json").read_text())
    assert artifacts["filled_steps"] == 8 and artifacts["steps"] == 2 * 84 * 24


@pytest.mark.slow
def test_series_are_forecast_with_what_is_known_beforehand(cities, tmp_path):
    header, *rows = read_csv(cities / "data" / "next.csv")
    folder = tmp_path / "in"
    folder.mkdir()

    def write(name, chosen):
        with open(folder / name, "w", newline="") as file:
            csv.writer(file).writerows([header, *chosen])

    write("a.csv", rows)
    # A city that is new has its own scale: ten times of all, ten times as much is predicted.
    bern = [row for row in rows if row[1] == "Bern"]
    tenfold = [
        [t, "Chur", o, *(f"{10 * float(x)}" if x else "" for x in v)] for t, _, o, *v in bern
    ]
    write("b.csv", [[t, "Basel", o, *v] for t, _, o, *v in bern] + tenfold)
    write("c.csv", [*bern[:-1], [bern[-1][0], "", *bern[-1][2:]]])
    forecast("predict", cities / "run", folder, "--output", tmp_path / "out", code=3)
    found = {(row["file"], row["series"]): row for row in rows_of(tmp_path / "out")}
    assert list(found) == [("a.csv", "Bern"), ("a.csv", "Genf"), ("b.csv", "Basel"),
                           ("b.csv", "Chur")]  # fmt: skip
    one = found["a.csv", "Bern"]
    assert one["times"][0] == "2024-03-25 00:00:00" and len(one["times"]) == 24
    assert one["quantiles"]["0.5"] == one["forecast"]
    assert all(np.greater_equal(one["quantiles"]["0.9"]["visits"], one["forecast"]["visits"]))
    np.testing.assert_allclose(
        found["b.csv", "Chur"]["forecast"]["visits"],
        10 * np.array(found["b.csv", "Basel"]["forecast"]["visits"]), rtol=1e-3,
    )  # fmt: skip
    errors = {row["line"]: row["error"] for row in rows_of(tmp_path / "out", "errors.jsonl")}
    first, second = errors.values()
    assert "after its last values only 23 rows have offer; the model reads those of 24" in first
    assert second == "the series in column 'city' is missing"
    lines = read_csv(tmp_path / "out" / "forecasts" / "a.csv")
    assert lines[0][:3] == ["city", "time", "visits"] and len(lines) == 49


# === check, and mistakes ===


def test_check_says_what_was_recognised(cities, tmp_path):
    data = cities / "data" / "train.csv"
    said = forecast("check", data, "--series", "city", "--future", "offer", code=3).stdout
    assert "frequency: 1 hour, season: 24" in said and "targets: 2 (visits, load)" in said
    assert "train: 2,584 windows" in said and "8 steps of time are missing" in said
    said = forecast("check", data, "--series", "city", "--horizon", 2000, code=3).stdout
    assert "no train window" in said and "'Bern', 'Genf'" in said
    flat = tmp_path / "flat.csv"
    flat.write_text("\n".join(["day,x,y,z", *(f"2024-01-{i:02},{i},3," for i in range(1, 31))]))
    said = forecast("check", flat, code=3).stdout
    assert "'y' is constant" in said and "all values of 'z' are missing" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--history", 300), "no series is long enough: the training part needs 304 steps"),
        (("--horizon", 30), "the validation part is too short for one window; it needs 30"),
        (("--quantiles", "0.1,0.9"), "--quantiles 0.1,0.9: .* 0.5 among them"),
        (("--split-steps", "100"), "--split-steps 100: give steps of training"),
        (("--architecture", "transformer", "--history", 18), "--patch-length 16: does not divide"),
        (("--series", "high"), "the times are not regular steps"),
        (("--target", "high", "--future", "high"), "high: is also that of --future"),
    ],
)
def test_mistakes_are_one_line(trained, tmp_path, options, message):
    said = error_of("train", trained / "train.csv", "--preset", "test", *options,
                    "--output", tmp_path / "run")  # fmt: skip
    assert re.search(message, said), said
    assert not (tmp_path / "run").exists() or not (tmp_path / "run" / "model.keras").exists()

"""The application from the command line: learning, figures, prediction, bad input."""

import csv
import json
import re

import numpy as np
import pytest
import tensorflow as tf
import yaml
from sklearn.linear_model import LinearRegression

from apps.tables.perceptrons.app import TableApp
from shared.engine.run import load_best, open_run
from shared.samples.registry import write_sample
from tests.in_process import run_command


def expect(done, code=0):
    assert done.returncode == code, done.stdout + done.stderr
    return done


def table(*arguments, code=0):
    return expect(run_command("table", *arguments), code)


def error_of(*arguments, code=1):
    done = table(*arguments, code=code)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("kerasuite: ")]
    return line.removeprefix("kerasuite: ")


def metrics_of(run):
    return json.loads((run / "metrics.json").read_text())


def rows_of(folder, name="predictions.jsonl"):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def write_csv(path, header, rows):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def read_csv(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))


# === Learning ===


def numbers_table(count=80):
    """Two targets that are linear in two numbers, and a category that shifts the first."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(count, 2)).round(3)
    kind = generator.integers(0, 2, count)
    price = 1000 + 200 * x[:, 0] - 50 * x[:, 1] + 300 * kind
    size = 5 - x[:, 1]
    rows = [
        [a, b, "big" if k else "small", f"{p:.3f}", f"{s:.3f}"]
        for (a, b), k, p, s in zip(x.tolist(), kind.tolist(), price, size, strict=True)
    ]
    return ["a", "b", "kind", "price", "size"], rows


@pytest.fixture(scope="module")
def regression(tmp_path_factory):
    """A linear network of two targets, which knows its table by heart."""
    folder = tmp_path_factory.mktemp("regression")
    data = write_csv(folder / "data.csv", *numbers_table())
    done = table(
        "train", data, "--target", "price,size", "--preset", "test", "--hidden", "0",
        "--embedding-dim", 0, "--scaling", "standard", "--epochs", 60, "--learning-rate", 0.05,
        "--weight-decay", 0, "--validate-every", 20, "--output", folder / "run",
    )  # fmt: skip
    assert "warning" not in done.stderr
    return folder


def test_a_linear_table_is_learnt_by_heart(regression):
    metrics = metrics_of(regression / "run")
    assert metrics["r2"] > 0.999 and metrics["rows"] == 8
    assert (
        metrics["per_target"]["price"]["rmse"] < 4 and metrics["per_target"]["size"]["mae"] < 0.02
    )
    assert metrics["trees_rmse"] > metrics["rmse"]
    assert (
        list(metrics["importance"])[-1] != "a" and metrics["importance"]["kind"]["importance"] > 0
    )
    plots = {path.name for path in (regression / "run" / "plots").iterdir()}
    assert plots == {
        "curves.png", "residuals.png", "importance.png", "partial_dependence.png",
    }  # fmt: skip
    page = (regression / "run" / "samples" / "largest_errors.html").read_text()
    assert "The 8 held-out rows" in page and "big" in page


def test_held_out_rows_are_those_of_the_figures(regression):
    """The figures again from `held_out.csv`, by what is exported and by scikit-learn's model."""
    run = regression / "run"
    header, rows = numbers_table()
    held_out = read_csv(run / "held_out.csv")
    assert held_out[0] == header and len(held_out) == 9
    truth = np.array([[float(cell) for cell in row[3:]] for row in held_out[1:]])
    app = TableApp()
    opened = open_run(app, run)
    module = app.serving(opened, load_best(app, opened))[""]
    cells = zip(
        ("a", "b", "kind"), zip(*(row[:3] for row in held_out[1:]), strict=True), strict=True
    )
    predicted = module.predict(**{name: tf.constant(column) for name, column in cells})
    predicted = predicted["prediction"].numpy()
    rmse = np.sqrt(((truth - predicted) ** 2).mean(axis=0)).mean()
    assert rmse == pytest.approx(metrics_of(run)["rmse"], abs=1e-3)
    training = [list(map(str, row)) for row in rows]
    training = [row for row in training if row not in held_out[1:]]
    assert len(training) == 72

    def inputs(rows):
        return np.array([[float(row[0]), float(row[1]), row[2] == "big"] for row in rows])

    model = LinearRegression().fit(inputs(training), [float(row[3]) for row in training])
    best = np.sqrt(np.mean((model.predict(inputs(held_out[1:])) - truth[:, 0]) ** 2))
    assert metrics_of(run)["per_target"]["price"]["rmse"] < best + 4


@pytest.mark.slow
def test_numbers_are_exported_and_predicted(regression):
    run = regression / "run"
    table("predict", run, run / "held_out.csv", "--output", regression / "out", "--format", "csv")
    found, held_out = rows_of(regression / "out"), read_csv(run / "held_out.csv")[1:]
    for row, cells in zip(found, held_out, strict=True):
        assert row["prediction"]["price"] == pytest.approx(float(cells[3]), abs=15)
        assert row["prediction"]["size"] == pytest.approx(float(cells[4]), abs=0.1)
    header = read_csv(regression / "out" / "predictions.csv")[0]
    assert header == ["file", "line", "prediction price", "prediction size"]


def test_other_rows_are_evaluated_beside_trees(regression):
    header, rows = numbers_table()
    other = write_csv(regression / "other.csv", header[::-1], [row[::-1] for row in rows[:40]])
    table("evaluate", regression / "run", other)
    metrics = metrics_of(regression / "run" / "evaluation")
    assert metrics["rows"] == 40 and metrics["r2"] > 0.999 and "trees_r2" in metrics
    write_csv(regression / "bad.csv", header, [[1, 2, "big", "", 4], [1, "x", "big", 3, 4]])
    assert "no row of it can be used" in error_of(
        "evaluate", regression / "run", regression / "bad.csv"
    )


@pytest.fixture(scope="module")
def wine(tmp_path_factory):
    """The sample, with a run and its export."""
    folder = tmp_path_factory.mktemp("wine")
    write_sample("wine", folder / "data")
    table(
        "train", folder / "data" / "train.csv", "--target", "grower", "--preset", "test",
        "--batch-size", 32, "--epochs", 12, "--learning-rate", 0.01, "--validation-split", 0.25,
        "--output", folder / "run",
    )  # fmt: skip
    table("export", folder / "run", "--output", folder / "saved_models")
    return folder


def test_wines_are_told_apart(wine):
    metrics = metrics_of(wine / "run")
    assert metrics["accuracy"] > 0.9 and metrics["auroc"] > 0.98
    assert {"f1", "calibration_error", "trees_accuracy", "trees_f1"} <= set(metrics)
    assert set(metrics["per_class"]) == {"grower 1", "grower 2", "grower 3"}
    assert (wine / "run" / "plots" / "calibration.png").exists()
    assert "trees_accuracy" in (wine / "run" / "history.csv").read_text()


def test_the_saved_model_takes_columns_by_their_names(wine):
    """With underscores for what TensorFlow does not take: `od280/od315_of_diluted_wines`."""
    loaded = tf.saved_model.load(str(wine / "saved_models" / "table" / "run" / "1"))
    predict = loaded.signatures["serving_default"]
    with open(wine / "data" / "unlabelled.csv") as file:
        columns = {key: [row[key] for row in rows] for rows in [list(csv.DictReader(file))]
                   for key in rows[0]}  # fmt: skip
    columns = {name.replace("/", "_"): cells for name, cells in columns.items()}
    found = predict(**{name: tf.constant(cells) for name, cells in columns.items()})
    assert found["probabilities"].shape == (18, 3) and found["label"].dtype == tf.string
    none = predict(**{name: tf.zeros([0], tf.string) for name in columns})
    assert none["probabilities"].shape == (0, 3)


def test_rows_are_predicted_in_order_and_bad_ones_named(wine, tmp_path):
    model, folder = wine / "saved_models" / "table" / "run", tmp_path / "in"
    folder.mkdir()
    header, *rows = read_csv(wine / "data" / "unlabelled.csv")
    write_csv(folder / "a.csv", [*header, "note"], [[*row, "x"] for row in rows[:3]])
    bad = [
        rows[0],
        [*rows[1][:-1], "much"],
        rows[2][:-1],
        ["inf", *rows[3][1:]],
        ["", *rows[4][1:]],
    ]
    write_csv(folder / "b.csv", header, bad)
    write_csv(folder / "c.csv", header[1:], [row[1:] for row in rows[:2]])
    objects = [dict(zip(header, map(float, row), strict=True)) for row in rows[:3]]
    del objects[1][header[0]]
    (folder / "d.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in objects) + "[1]\n")
    done = table("predict", model, folder, "--output", tmp_path / "out", "--format", "csv", code=3)
    assert "a.csv: columns that the model does not read: note" in " ".join(done.stderr.split())
    found = rows_of(tmp_path / "out")
    assert [(row["file"], row["line"]) for row in found] == [
        ("a.csv", 2), ("a.csv", 3), ("a.csv", 4), ("b.csv", 2), ("b.csv", 6), ("d.jsonl", 1),
        ("d.jsonl", 3),
    ]  # fmt: skip
    assert found[0]["probabilities"] == found[3]["probabilities"] == found[5]["probabilities"]
    assert sum(found[0]["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    errors = {(row["file"], row.get("line")): row["error"] for row in
              rows_of(tmp_path / "out", "errors.jsonl")}  # fmt: skip
    assert "'much' in column 'proline' is no number" in errors["b.csv", 3]
    assert "12 cells instead of 13" in errors["b.csv", 4]
    assert "'inf' in column 'alcohol' is infinite" in errors["b.csv", 5]
    assert "c.csv: has no column 'alcohol'; it has malic_acid" in errors["c.csv", None]
    assert "no 'alcohol' in it, which all rows had in training" in errors["d.jsonl", 2]
    assert "no JSON object" in errors["d.jsonl", 4]
    with open(tmp_path / "out" / "predictions.csv") as file:
        first = next(csv.DictReader(file))
    assert list(first) == [
        "file", "line", "label", *(f"probability grower {number}" for number in (1, 2, 3)),
    ]  # fmt: skip


@pytest.mark.slow
def test_a_run_goes_on_from_another_with_its_columns(wine, tmp_path):
    header, *rows = read_csv(wine / "data" / "train.csv")
    more = write_csv(tmp_path / "more.csv", header, rows[::2])
    common = ("--target", "grower", "--preset", "test", "--epochs", 1, "--learning-rate", 1e-5)
    done = table("train", more, *common, "--init", wine / "run", "--output", tmp_path / "run")
    assert "begins untrained" not in done.stderr
    assert metrics_of(tmp_path / "run")["accuracy"] > 0.8
    mine, theirs = (json.loads((run / "columns.json").read_text()) for run in
                    (tmp_path / "run", wine / "run"))  # fmt: skip
    assert mine == theirs
    less = write_csv(tmp_path / "less.csv", header[1:], [row[1:] for row in rows])
    error = error_of("train", less, *common, "--init", wine / "run", "--output", tmp_path / "other")
    assert "reads the column 'alcohol', which the table does not have" in error


# === check ===


def test_check_describes_columns(tmp_path):
    rows = [
        [i, 20 + i % 30, ["red", "green"][i % 2], f"2024-01-{1 + i % 28:02}", "yn"[i % 2],
         f"name {i}", 1, "", ["a", "b", "c"][i % 3]]
        for i in range(60)
    ]  # fmt: skip
    rows[7][1] = "old"
    rows[8][8] = ""
    header = ["id", "age", "colour", "since", "ok", "name", "one", "none", "class"]
    data = write_csv(tmp_path / "data.csv", header, rows)
    shown = " ".join(table("check", data, "--target", "class", code=3).stdout.split())
    for line in (
        "60 rows and 9 columns in 1 file(s)", "target class: 3 classes", "1 rows without it",
        "age: number, 20 to 49, 1 missing", "colour: category, 2 values",
        "since: date like YYYY-MM-DD, 2024-01-01 to 2024-01-28", "ok: boolean, 50.0% true",
        "name: ignored: text: 60 different values in 60 rows", "one: ignored: all values are '1'",
        "none: ignored: all values are missing", "data.csv:9: 'old' in column 'age' is no number",
        "column 'id': whole numbers, all different; if they are ids, write `id: ignore`",
        "2 problem(s)",
    ):  # fmt: skip
        assert line in shown, shown
    (tmp_path / "kinds.yaml").write_text("id: ignore\nage: category\n")
    shown = table("check", data, "--columns", tmp_path / "kinds.yaml", code=0).stdout
    assert "id: ignored: as --columns says" in shown and "age: category" in shown


# === Bad input ===

GOOD = "a,b,t\n" + "".join(f"{i},{i % 3},{'xy'[i % 2]}\n" for i in range(12))


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (GOOD, (), "--target: name the column to predict"),
        (GOOD, ("--target", "z"), "--target z: the table has no column 'z'; it has a, b, t"),
        (GOOD, ("--target", "T"), "the table has no column 'T'"),
        (GOOD, ("--target", "a,t"), "--target a,t: 't' holds classes, and several targets have to"),
        (GOOD, ("--target", "a,a"), "--target a,a: names a column twice"),
        (GOOD, ("--target", "t", "--loss", "mse"), "--loss mse: the target has classes; give one"),
        (GOOD, ("--target", "a", "--task-type", "regression", "--loss", "hinge"), "--loss hinge: "),
        (GOOD, ("--target", "t", "--task-type", "regression"), "--target t: 'x' is no number"),
        (GOOD, ("--target", "t", "--hidden", "8,x"), "--hidden 8,x: give widths from 1 to"),
        (GOOD, ("--target", "t", "--architecture", "ft-transformer", "--hidden-dim", "9"),
         "--num-heads 8: does not divide --hidden-dim 9"),
        ("a,t\n1,x\n2,x\n", ("--target", "t"), "--target t: is constant, all rows have 'x'"),
        ("a,t\n1,5\n2,5.0\n", ("--target", "t", "--task-type", "regression"), "is constant"),
        ("a,t\n1,\n2,NA\n", ("--target", "t"), "--target t: all its values are missing"),
        ("a,t\n,x\n,y\n", ("--target", "t"), "no column to learn from besides the target; a: all "),
        ("t\nx\ny\n", ("--target", "t"), "no column to learn from besides the target"),
        ("a,t\n1,x\n", ("--target", "t"), "is constant"),
        ("a,b,t\n1,5,x\n2,inf,y\n", ("--target", "t"), "1 row(s) to learn from; 1 were left out ("),
        ("a,t\n", ("--target", "t"), "no rows in it"),
        ("a,t\n1,2,3\n", ("--target", "t"), "no rows in it; "),
        ("a,a,t\n1,2,x\n", ("--target", "t"), "the name 'a' is there twice"),
        ("d,t\n2024-01-02,x\n02.01.2024,y\n", ("--target", "t"), "column 'd': has dates in two"),
        (GOOD, ("--target", "t", "--validation", "nothing.csv"), "nothing.csv: no such file"),
    ],
    ids=lambda value: None if not isinstance(value, str) else re.sub(r"\W+", " ", value)[:30],
)  # fmt: skip
def test_tables_that_cannot_be_learnt(content, options, message, tmp_path):
    (tmp_path / "data.csv").write_text(content)
    arguments = ("train", tmp_path / "data.csv", "--preset", "test", *options)
    error = error_of(*arguments, "--output", tmp_path / "run")
    assert message in error and not (tmp_path / "run").exists()


def test_files_with_other_columns_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text(GOOD)
    (tmp_path / "b.csv").write_text(GOOD.replace("b", "c", 1))
    error = error_of("train", tmp_path / "a.csv", tmp_path / "b.csv", "--target", "t",
                     "--output", tmp_path / "run")  # fmt: skip
    assert "b.csv: has no column 'b', which" in error


def test_odd_rows_are_left_out_and_said(tmp_path):
    """Quotes with line ends, an infinite number, a short row, a row without a target."""
    good = [[f"{i / 7:.2f}", f'say "{i % 2}",\nloud', "xy"[i % 2]] for i in range(40)]
    header = ["number", "text, quoted", "t"]
    data = write_csv(tmp_path / "a.csv", header, good)
    with open(data, "a") as file:
        file.write("inf,q,x\n1,2\n3,q,\n")
    other = write_csv(tmp_path / "b.csv", header[::-1], [row[::-1] for row in good[:4]])
    done = table("train", data, other, "--target", "t", "--preset", "test", "--epochs", 1,
                 "--output", tmp_path / "run")  # fmt: skip
    assert "3 row(s) are left out, first " in done.stderr
    with open(tmp_path / "run" / "skipped.csv") as file:
        skipped = list(csv.DictReader(file))
    assert {(row["line"], row["problem"]) for row in skipped} == {
        ("82", "'inf' in column 'number' is infinite"),
        ("83", "2 cells instead of 3; check its quotes and delimiters"),
        ("84", "the target 't' is missing"),
    }
    made = json.loads((tmp_path / "run" / "artifacts.json").read_text())
    assert made["training_rows"] + made["validation_rows"] == 44 and made["rows_left_out"] == 3
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert config["data_options"]["target"] == "t"
    columns = json.loads((tmp_path / "run" / "columns.json").read_text())["columns"]
    assert [c["kind"] for c in columns] == ["number", "category"]
    assert sorted(columns[1]["values"]) == ['say "0", loud', 'say "1", loud']


@pytest.mark.slow
def test_thousands_of_columns(tmp_path):
    """Three thousand are trained on, exported and predicted; ten thousand and one are refused."""
    generator = np.random.default_rng(0)
    names = [f"column {index}" for index in range(2_999)]
    values = generator.normal(size=(40, len(names))).round(2)
    rows = [[*row, "xy"[row[0] > 0]] for row in values.tolist()]
    data = write_csv(tmp_path / "wide.csv", [*names, "t"], rows)
    run = tmp_path / "run"
    done = table("train", data, "--target", "t", "--preset", "test", "--epochs", 1, "--output", run)
    assert "importance and partial dependence are left out" in done.stderr
    table("predict", run, data, "--output", tmp_path / "out")
    assert len(rows_of(tmp_path / "out")) == 40
    names = [f"column {index}" for index in range(10_000)]
    write_csv(data, [*names, "t"], [[*range(10_000), "x"], [*range(10_000), "y"]])
    assert "has 10,001 columns; at most 10,000" in error_of(
        "train", data, "--target", "t", "--output", tmp_path / "other"
    )

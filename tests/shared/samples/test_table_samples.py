"""Samples of tables: points and wines."""

import csv

from sklearn.datasets import load_wine

from shared.samples.registry import write_sample


def read(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))


def test_points_across_belong_together(tmp_path):
    assert write_sample("xor", tmp_path / "xor") == (
        "400 points in two classes, 100 without a class"
    )
    header, *rows = read(tmp_path / "xor" / "train.csv")
    assert header == ["x", "y", "class"] and len(rows) == 400
    right = sum((round(float(x)) != round(float(y))) == (name == "odd") for x, y, name in rows)
    assert right > 390
    assert 150 < sum(name == "odd" for *_, name in rows) < 250
    assert len(read(tmp_path / "xor" / "unlabelled.csv")) == 101


def test_wines_are_those_of_scikit_learn(tmp_path):
    assert "160 wines of three growers, 18 of" in write_sample("wine", tmp_path / "wine")
    wine = load_wine()
    header, *rows = read(tmp_path / "wine" / "train.csv")
    assert header == [*wine.feature_names, "grower"]
    assert list(map(float, rows[0][:-1])) == wine.data[1].tolist()
    assert {row[-1] for row in rows} == {"grower 1", "grower 2", "grower 3"}
    unlabelled = read(tmp_path / "wine" / "unlabelled.csv")
    assert list(map(float, unlabelled[1])) == wine.data[0].tolist() and len(unlabelled) == 19


def test_series_have_a_day_to_predict(tmp_path):
    assert "84 days of hours in 2 cities" in write_sample("series", tmp_path / "series")
    header, *rows = read(tmp_path / "series" / "train.csv")
    assert header == ["time", "city", "offer", "visits", "load"]
    # Four hours of each city are missing.
    assert len(rows) == 2 * (84 * 24 - 4) and {row[1] for row in rows} == {"Bern", "Genf"}
    following = read(tmp_path / "series" / "next.csv")[1:]
    assert len(following) == 2 * 22 * 24 and following[-1][3:] == ["", ""]
    assert sum(row[3] == "" for row in following) == 48
    assert rows[-1] == following[-25]

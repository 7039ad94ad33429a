"""Columns: kinds, cells in Python and in the graph, dates, scales and features."""

import datetime
import math

import numpy as np
import pytest
import tensorflow as tf
from sklearn.preprocessing import QuantileTransformer

from apps.tables.perceptrons.columns.encoder import RowEncoder, write_vocabulary
from apps.tables.perceptrons.columns.learning import learn_columns
from apps.tables.perceptrons.columns.recognition import read_column_kinds, recognise
from apps.tables.perceptrons.columns.scaling import normal_scores
from apps.tables.perceptrons.columns.schema import Schema, Target, load_schema
from shared.common.errors import KerasuiteError
from shared.text.tables import cells as cell_rules
from shared.text.tables.dates import FORMATS, days_in_graph, days_of

CELLS = [
    "", " ", "1", " 2.50\t", "+3", "-.5", "4.", "1e3", "1E-2", "1e999", "1,5", "1_000", "0x10",
    "inf", "-Infinity", "nan", "NA", "?", "None", "abc", "12abc", "١", "1 2", "1.2.3", "yes", "NO",
    "True", "f", "on", "\n", "a\nb", "<NA>", "#N/A", "-",
]  # fmt: skip


def kind(values, wanted=""):
    return recognise("x", values, wanted).column.kind


def test_cells_are_read_alike_in_python_and_in_the_graph():
    cleaned = [cell_rules.clean(cell) for cell in CELLS]
    in_graph = cell_rules.cleaned(tf.constant(CELLS))
    assert [cell.decode() for cell in in_graph.numpy()] == cleaned
    missing = cell_rules.are_missing(in_graph).numpy().tolist()
    assert missing == [cell in cell_rules.MISSING for cell in cleaned]
    for comma in (False, True):
        numbers = cell_rules.numbers_of(in_graph[:, None], np.array([comma])).numpy()[:, 0]
        for cell, number in zip(cleaned, numbers, strict=True):
            expected = cell_rules.number_of(cell, comma)
            is_number = expected is not None and math.isfinite(expected)
            assert number == expected if is_number else math.isnan(number), cell
    truths = cell_rules.truths_of(in_graph).numpy()
    for cell, truth in zip(cleaned, truths, strict=True):
        expected = cell_rules.TRUTH.get(cell.lower(), math.nan)
        np.testing.assert_equal(truth, expected, err_msg=cell)


def test_dates_are_those_of_the_calendar():
    generator = np.random.default_rng(0)
    seconds = generator.integers(-(2 * 10**9), 8 * 10**9, 300).tolist()
    moments = [datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=s) for s in seconds]
    patterns = {"YYYY-MM-DD": "%Y-%m-%d", "DD.MM.YYYY": "%d.%m.%Y", "MM/DD/YYYY": "%m/%d/%Y"}
    for name, pattern in patterns.items():
        written = [moment.strftime(f"{pattern} %H:%M:%S") for moment in moments]
        expected = np.array(seconds) / 86400
        np.testing.assert_allclose(days_in_graph(tf.constant(written), name), expected, atol=1e-9)
        np.testing.assert_allclose([days_of(cell, name) for cell in written], expected, atol=1e-9)


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_no_date_is_none_in_the_graph_either(name):
    odd = [
        "2023-02-29", "2024-02-29", "2024-13-01", "2024-00-10", "31.04.2024", "1900-02-29",
        "0000-01-01", "2000-02-29T23:59", "2000-01-01 24:00", "2000-01-01 10:60:00", "12/31/2024",
        "31/12/2024", "",
        "2024-1-5", "20240229", "20230229", "1.2.2024 7:05", "2024-01-01T00:00:00.123Z", "x",
    ]  # fmt: skip
    expected = [days_of(cell, name) for cell in odd]
    found = days_in_graph(tf.constant(odd), name).numpy()
    for cell, number, days in zip(odd, found, expected, strict=True):
        assert math.isnan(number) if days is None else number == pytest.approx(days), cell


def test_kinds_are_recognised():
    assert kind(["1", "2.5", "", "1e3"]) == "number"
    assert kind(["1,5", "2,25", "3"]) == "number"
    assert kind(["1"] * 30 + ["unknown"]) == "number"
    assert kind(["yes", "No", ""]) == "boolean"
    assert kind(["t", "f", "yes"]) == "category"
    assert kind(["2024-01-31", "", "2023-02-28 10:00"]) == "date"
    assert kind(["red", "green", "red"]) == "category"
    assert kind([f"name {number}" for number in range(30)]) == "ignored"
    assert kind([f"name {number % 15}" for number in range(30)]) == "category"
    assert recognise("x", ["", "?", "NA"]).column.reason == "all values are missing"
    assert recognise("x", ["a"] * 3).column.reason == "all values are 'a'"
    assert kind(["a", ""]) == "category"
    assert kind(["1", "2"], "category") == "category" and kind(["1", "2"], "ignore") == "ignored"
    assert kind(["20240131", "20240201"], "date YYYYMMDD") == "date"
    assert recognise("x", ["1,5", "2"]).note == "column 'x': the numbers have decimal commas"
    assert "if they are ids" in recognise("x", [str(n) for n in range(50)]).note


def test_cells_that_do_not_fit_are_faults():
    found = recognise("x", ["1"] * 60 + ["one", "inf", "1e999"])
    assert found.faults == {
        "one": "'one' in column 'x' is no number",
        "inf": "'inf' in column 'x' is infinite",
        "1e999": "'1e999' in column 'x' is infinite",
    }
    found = recognise("x", ["2024-01-01"] * 30 + ["soon"])
    assert found.faults == {"soon": "'soon' in column 'x' is no date like YYYY-MM-DD"}


def test_dates_in_two_formats_and_ambiguous_ones():
    with pytest.raises(KerasuiteError, match="two formats, '2024-01-02' and '02.01.2024'"):
        recognise("x", ["2024-01-02", "02.01.2024"])
    with pytest.raises(KerasuiteError, match="two formats, '13/01/2020' and '01/13/2020'"):
        recognise("x", ["01/02/2020", "13/01/2020", "01/13/2020"])
    found = recognise("x", ["01/02/2020", "03/04/2020"])
    assert found.column.date_format == "DD/MM/YYYY" and "if the month comes first" in found.note
    assert recognise("x", ["01/02/2020", "03/14/2020"]).column.date_format == "MM/DD/YYYY"
    with pytest.raises(KerasuiteError, match="has no dates such as"):
        recognise("x", ["a", "b"], "date")


def test_kinds_in_a_file(tmp_path):
    (tmp_path / "kinds.yaml").write_text("zip: category\nsince: date MM/DD/YYYY\n")
    found = read_column_kinds(str(tmp_path / "kinds.yaml"), ["zip", "since"])
    assert found == {"zip": "category", "since": "date MM/DD/YYYY"}
    with pytest.raises(KerasuiteError, match=r"no column 'zip' \(did you mean 'zap'"):
        read_column_kinds(str(tmp_path / "kinds.yaml"), ["zap", "since"])
    (tmp_path / "kinds.yaml").write_text("zip: date MONTH\n")
    with pytest.raises(KerasuiteError, match="zip: 'date MONTH' is no kind; one of number, "):
        read_column_kinds(str(tmp_path / "kinds.yaml"), ["zip"])


def test_scores_are_those_of_scikit_learn():
    """Between the outermost quantiles, where scikit-learn does not clip."""
    generator = np.random.default_rng(0)
    training = np.stack([generator.gamma(2, 3, 500), generator.integers(0, 9, 500)], axis=1)
    quantiles = np.quantile(training, np.linspace(0, 1, 100), axis=0).T
    theirs = QuantileTransformer(n_quantiles=100, output_distribution="normal", subsample=None)
    theirs.fit(training)
    asked = np.stack([generator.uniform(0.5, 15, 200), generator.integers(1, 8, 200)], axis=1)
    found = normal_scores(tf.constant(asked), quantiles).numpy()
    np.testing.assert_allclose(found, theirs.transform(asked), atol=1e-6)
    ends = normal_scores(tf.constant([[-99.0, -1.0], [1e9, 99.0]], tf.float64), quantiles).numpy()
    np.testing.assert_allclose(ends[1], -ends[0], atol=1e-9)
    assert (ends[1] > 2.5).all() and (ends[1] < 3).all()


def schema_of(columns, scaling="standard", min_count=2):
    cells = {name: np.array(values, object) for name, values in columns.items()}
    recognised = [recognise(name, values).column for name, values in columns.items()]
    return Schema(learn_columns(recognised, cells, scaling, min_count), Target(("t",), ("a", "b")))


TABLE = {
    "size": ["1", "2", "", "6"],
    "colour": ["red", "red", "blue", ""],
    "sold": ["yes", "no", "no", "no"],
    "day": ["2024-01-01", "", "2024-01-03", "2024-01-05"],
}


def test_features_are_those_of_numpy(tmp_path):
    schema = schema_of(TABLE)
    write_vocabulary(schema, tmp_path)
    schema.save(tmp_path / "columns.json")
    assert load_schema(tmp_path / "columns.json") == schema
    assert [column.kind for column in schema.columns] == ["number", "category", "boolean", "date"]
    encoder = RowEncoder(schema, tmp_path)
    asked = {
        "size": ["6", "?", "junk"],
        "colour": [" red", "blue", "NA"],
        "sold": ["YES", "", "no"],
        "day": ["2024-01-02", "", "02.01.2024"],
    }
    found = encoder({name: tf.constant(values) for name, values in asked.items()})
    # Rare and unseen values have the place 0, missing ones 1.
    assert found["categories"].numpy().tolist() == [[2], [0], [1]]
    size = (np.array([6, 2, 2]) - 3) / np.std([1, 2, 6])
    sold = (np.array([1, 0, 0]) - 0.25) / np.std([1, 0, 0, 0])
    days = np.array([1, 2, 2]) - 2
    day = days / np.std([0, 2, 4])
    first = (datetime.date(2024, 1, 2) - datetime.date(1970, 1, 1)).days
    angles = [2 * np.pi * first / period for period in (365.2425, 7)]
    waves = np.array([wave(angle) for angle in angles for wave in (np.sin, np.cos)])
    known = np.array([1, 0, 0])[:, None]
    missing = np.array([[0, 0], [1, 1], [1, 1]])
    expected = np.concatenate([np.stack([size, sold, day], axis=1), missing, known * waves], axis=1)
    np.testing.assert_allclose(found["numbers"], expected, atol=1e-5)
    slots = schema.slots()
    assert slots["size"].numbers == (0, 3) and slots["day"].numbers == (2, 4, 5, 6, 7, 8)
    assert slots["sold"].numbers == (1,) and slots["colour"].category == 0
    assert schema.number_slots == 9 and schema.category_sizes == (3,)


def test_inputs_have_names_that_tensorflow_takes():
    names = ["a b", "a_b", "a/b", "2nd", "größe (m²)", "名", "_x", "class"]
    schema = schema_of({name: ["1", "2"] for name in names})
    assert list(schema.input_names.values()) == [
        "a_b", "a_b_2", "a_b_3", "column_2nd", "größe__m__", "名", "column__x",
        "column_class",
    ]  # fmt: skip


def test_a_table_of_categories_alone_and_one_of_numbers_alone(tmp_path):
    for columns in ({"a": ["x", "y", "x", "y"]}, {"a": ["1", "2", "3", "4"]}):
        schema = schema_of(columns, scaling="quantile")
        write_vocabulary(schema, tmp_path)
        found = RowEncoder(schema, tmp_path)({"a": tf.constant(columns["a"])})
        assert found["numbers"].shape == (4, schema.number_slots)
        assert found["categories"].shape == (4, len(schema.categories))


def test_values_that_share_a_spelling_stay_apart(tmp_path):
    """The same value in two columns, tabs, line ends and numbers in front."""
    values = ["x", "0\tx", "a\tb", "a b", "1"]
    cells = {name: [value for value in values for _ in "ab"] for name in ("p", "q")}
    schema = schema_of({name: [cell_rules.clean(c) for c in cs] for name, cs in cells.items()})
    write_vocabulary(schema, tmp_path)
    found = RowEncoder(schema, tmp_path)({n: tf.constant(values) for n in cells})["categories"]
    for column, places in zip(schema.categories, found.numpy().T, strict=True):
        assert [column.values[place - 2] for place in places] == values

"""Times, frequencies, gaps, scales and windows of series, against brute force."""

import datetime

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from apps.tables.forecast.config import ForecastConfig
from apps.tables.forecast.data import learn_scales, learn_schema, naive_error, windows_of
from apps.tables.forecast.frequency import find_frequency, parse_frequency
from apps.tables.forecast.schema import FILE, load_schema
from apps.tables.forecast.series import Series, forward_fill, long_gaps
from apps.tables.forecast.survey import survey
from apps.tables.forecast.times import MONTH, NUMBER, TimeColumn, find_time_column
from apps.tables.forecast.windows import evaluation_dataset, joined, load_windows, origins
from shared.common.config import resolve
from shared.common.errors import KerasuiteError

EPOCH = datetime.datetime(1970, 1, 1)


def seconds(*dates):
    moments = [datetime.datetime.fromisoformat(date) for date in dates]
    return np.array([int((moment - EPOCH).total_seconds()) for moment in moments])


def dates_of(times):
    return [str(EPOCH + datetime.timedelta(seconds=int(time))) for time in times]


# === Times ===


@pytest.mark.parametrize(
    ("cells", "format", "shown"),
    [
        (["2024-02-28", "2024-03-01"], "YYYY-MM-DD", "2024-03-01"),
        (["2024-02-28T05:00", "2024-03-01 6:30"], "YYYY-MM-DD", "2024-03-01 06:30:00"),
        (["28.02.2024", "1.3.2024"], "DD.MM.YYYY", "01.03.2024"),
        (["1949-01", "1949-12"], MONTH, "1949-12"),
        (["3", "1000"], NUMBER, "1000"),
    ],
)
def test_times_are_read_and_shown(cells, format, shown):
    column, note = find_time_column({"t": cells, "x": ["1", "2"]}, "t")
    assert column.format == format and not note
    time = column.parse(cells[1])
    assert column.shown(time) == shown and column.parse(shown) == time
    assert column.fault(cells[0]) == "" and column.fault("") and column.fault("tomorrow")


def test_the_column_of_times_is_recognised():
    columns = {"x": ["1", "2"], "day": ["2024-01-01", "2024-01-02"], "due": ["2024-02-01"] * 2}
    column, note = find_time_column(columns, "")
    assert column == TimeColumn("day", "YYYY-MM-DD") and "due" in note
    with pytest.raises(KerasuiteError, match="no column with times .*--time"):
        find_time_column({"x": ["1", "2"]}, "")
    with pytest.raises(KerasuiteError, match="two formats, '13/01/2024' and '01/14/2024'"):
        find_time_column({"day": ["13/01/2024", "01/14/2024", "01/02/2024"]}, "")
    with pytest.raises(KerasuiteError, match="--time x: has no dates"):
        find_time_column({"x": ["a", "b"]}, "x")


@pytest.mark.parametrize(
    ("dates", "shown", "season", "after"),
    [
        (["2024-01-01", "2024-01-01 00:15", "2024-01-01 00:30"], "15 minutes", 96,
         "2024-01-01 00:45:00"),
        (["2024-01-01 05:00", "2024-01-01 06:00", "2024-01-01 08:00", "2024-01-01 09:00"],
         "1 hour", 24, "2024-01-01 10:00:00"),
        (["2024-01-05", "2024-01-06", "2024-01-07"], "1 day", 7, "2024-01-08 00:00:00"),
        (["2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09", "2024-01-10"],
         "1 working day", 5, "2024-01-11 00:00:00"),
        (["2024-01-01", "2024-01-08", "2024-01-15"], "1 week", 52, "2024-01-22 00:00:00"),
        (["2023-11-15", "2023-12-15", "2024-01-15"], "1 month", 12, "2024-02-15 00:00:00"),
        (["2023-11-30", "2023-12-31", "2024-01-31"], "1 month", 12, "2024-02-29 00:00:00"),
        (["2023-06-01", "2023-09-01", "2023-12-01"], "1 quarter", 4, "2024-03-01 00:00:00"),
        (["2021-01-01", "2022-01-01", "2023-01-01"], "1 year", 1, "2024-01-01 00:00:00"),
    ],
)  # fmt: skip
def test_frequencies_are_recognised(dates, shown, season, after):
    times = seconds(*dates)
    found = find_frequency(times, "YYYY-MM-DD")
    places, on_grid = found.places(times)
    assert str(found) == shown and found.season == season and on_grid.all()
    assert [found.time(place) for place in places.tolist()] == times.tolist()
    assert dates_of([found.time(int(places[-1]) + 1)]) == [after]
    # None before the first either, and half a step is on none.
    assert found.places(np.array([found.time(-3)]))[0].tolist() == [-3]
    assert not found.places(times[:1] + 7)[1].any()


def test_working_days_leave_out_week_ends():
    found = find_frequency(seconds("2024-01-03", "2024-01-04", "2024-01-12"), "YYYY-MM-DD")
    monday, saturday = seconds("2024-01-08", "2024-01-06")
    places, on_grid = found.places(np.array([monday, saturday]))
    assert places[0] == 3 and on_grid.tolist() == [True, False]
    assert dates_of(map(found.time, range(-3, 1)))[0] == "2023-12-29 00:00:00"


def test_frequencies_are_parsed():
    assert str(parse_frequency("15min", "YYYY-MM-DD", 0)) == "15 minutes"
    assert parse_frequency("h", "YYYY-MM-DD", 0).count == 1
    assert parse_frequency("2", NUMBER, 0).time(3) == 6
    for wrong in ("x", "0h", "2b", "-1d"):
        with pytest.raises(KerasuiteError, match=f"--frequency {wrong}"):
            parse_frequency(wrong, "YYYY-MM-DD", 0)


# === Gaps ===


def test_gaps_are_filled_with_the_last_values_before():
    nan = np.nan
    values = np.array([[nan, 1], [2, nan], [nan, nan], [5, 4]])
    assert forward_fill(values).tolist() == [[2, 1], [2, 1], [2, 1], [5, 4]]
    known = np.isfinite(values)
    assert long_gaps(known, 1).tolist() == [False, True, True, False]
    assert not long_gaps(known, 2).any()


# === Files to windows ===


def configured(path, **given):
    """The configuration of the preset for tests; "__" stands for the dot of a leaf."""
    leaves = {leaf.replace("__", "."): value for leaf, value in given.items()}
    return resolve(ForecastConfig, {"preset": "test", "data": (str(path),), **leaves})


def write_daily(path, rows):
    """Rows of days with two series in one file, one of them unsorted and with a gap."""
    generator = np.random.default_rng(0)
    lines = ["when,shop,price,sold,note"]
    for index in range(rows):
        day = datetime.date(2024, 1, 1) + datetime.timedelta(days=index)
        for shop in ("a", "b"):
            if shop == "b" and 20 <= index < 22:
                continue
            lines.append(f"{day},{shop},{index % 3},{generator.normal():.4f},x")
    lines[3], lines[5] = lines[5], lines[3]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_file_becomes_series(tmp_path):
    path = write_daily(tmp_path / "data.csv", 60)
    config = configured(path, data_options__series="shop", data_options__future="price")
    found = survey(config)
    assert found.columns.targets == ("sold",) and found.columns.future == ("price",)
    assert [one.name for one in found.found.series] == ["a", "b"]
    assert [len(one) for one in found.found.series] == [60, 60]
    notes = "\n".join(found.notes)
    assert "1 stood behind later" in notes and "2 steps of time are missing, first of 'b'" in notes
    assert "'note' is constant" in notes or "note" in notes
    second = found.found.series[1]
    assert (second.values[20:22] == second.values[19]).all() and not second.known[20:22].any()
    assert found.bounds == {"train": (0, 42), "validation": (42, 48), "test": (48, 60)}


def test_windows_are_those_of_brute_force(tmp_path):
    """All of two series, none of which reaches over a long gap, into another split or series."""
    generator = np.random.default_rng(1)
    history, horizon, bounds = 3, 2, (10, 26)
    series = []
    for start, length in ((0, 30), (8, 12), (24, 4)):
        known = np.ones((length, 1), bool)
        holes = np.zeros(length, bool)
        if length == 30:
            known[14:18] = False
            holes[14:18] = True
            known[22:24] = False
        values = generator.normal(size=(length, 1))
        series.append(Series("", start, values, np.zeros((length, 0)), known, holes))
    found = origins(series, history, horizon, bounds)
    expected, begin = [], 0
    for one in series:
        for origin in range(len(one)):
            window = range(origin - history, origin + horizon)
            ahead = range(origin, origin + horizon)
            if window[0] < 0 or window[-1] >= len(one):
                continue
            inside = all(bounds[0] <= one.start + step < bounds[1] for step in ahead)
            if inside and not one.holes[list(window)].any() and one.known[list(ahead)].any():
                expected.append(begin + origin)
        begin += len(one)
    assert found.tolist() == expected and 10 < len(expected) < 20
    steps = joined(series, [0, 1, 2])
    assert (steps.series[found] == np.searchsorted([30, 42], found, "right")).all()


@pytest.mark.parametrize("count", [1, 2])
def test_every_test_window_counts_and_is_right(tmp_path, count):
    """As many as a loop finds, each once, whichever worker has them; scaled by scikit-learn."""
    path = write_daily(tmp_path / "data.csv", 60)
    config = configured(path, data_options__series="shop", data_options__future="price")
    found = survey(config)
    series, schema, _ = learn_schema(config, found)
    windows = windows_of(series, schema, found.bounds)["test"]
    assert len(windows) == 2 * (12 - 4 + 1)
    batches = [
        batch
        for worker in range(count)
        for batch in evaluation_dataset(windows, schema, config, (worker, count))
    ]
    inputs, targets, weights = (
        np.concatenate([np.array(part) for part in parts])
        for parts in zip(*((x["history"], y, w) for x, y, w in batches), strict=True)
    )
    assert len(inputs) == len(windows) and (weights == 1).all()
    row = 0
    for one in series:
        scaler = StandardScaler().fit(one.values[:42])
        scaled = scaler.transform(one.values)
        for origin in range(48, 60 - 4 + 1):
            np.testing.assert_allclose(inputs[row], scaled[origin - 16 : origin], atol=1e-5)
            np.testing.assert_allclose(targets[row], scaled[origin : origin + 4], atol=1e-5)
            row += 1


def test_scales_know_only_training_rows(tmp_path):
    path = write_daily(tmp_path / "data.csv", 60)
    config = configured(path, data_options__series="shop", data_options__future="price")
    found = survey(config)
    series, schema, _ = learn_schema(config, found)
    for one in series:
        one.values[42:] = 1e6
        one.future[42:] = 1e6
    assert learn_scales(series, 42, 7) == schema.scales
    first = series[0].values[:42, 0]
    assert schema.scales.means[0][0] == pytest.approx(first.mean())
    assert schema.scales.naive_errors[0][0] == pytest.approx(np.abs(first[7:] - first[:-7]).mean())
    schema.save(tmp_path / FILE)
    assert load_schema(tmp_path / FILE) == schema
    windows = windows_of(series, schema, found.bounds)["train"]
    windows.save(tmp_path / "train.npz")
    again = load_windows(tmp_path / "train.npz")
    assert (again.origins == windows.origins).all() and len(again.steps) == 120


def test_filled_values_count_in_no_naive_error():
    values, known = np.array([[1.0], [3], [9], [4]]), np.array([[True], [True], [False], [True]])
    one = Series("", 0, values, np.zeros((4, 0)), known, np.zeros(4, bool))
    assert naive_error(one, 4, 1).tolist() == [2.0] and naive_error(one, 4, 2).tolist() == [1.0]
    assert naive_error(one, 2, 5).tolist() == [0.0]


# === Mistakes ===


def write(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return path


HOURS = [f"2024-01-{1 + hour // 24:02} {hour % 24:02}:00" for hour in range(100)]


@pytest.mark.parametrize(
    ("lines", "given", "message"),
    [
        (["x,y", *(f"{i},{i * i}" for i in range(9))], {}, "no column with times"),
        (["t,x", *(f"{t},3" for t in HOURS)], {}, "no column to predict .* 'x' is constant"),
        (["t,x,y", *(f"{t},3,{i}" for i, t in enumerate(HOURS))], {"data_options__target": "x"},
         "--target x: 'x' is constant, all rows have '3'"),
        (["t,x", *(f"{t}," for t in HOURS)], {"data_options__target": "x"},
         "--target x: all values of 'x' are missing"),
        (["t,x", *(f"{t},a{i}" for i, t in enumerate(HOURS))], {"data_options__target": "x"},
         "--target x: 'x' holds 'a0', which is no number"),
        (["t,x", *(f"{t},{i}" for i, t in enumerate(HOURS))], {"data_options__target": "z"},
         "--target z: the table has no column 'z'"),
        (["t,x", *(f"{t},{i}" for i, t in enumerate(HOURS))], {"data_options__future": "t"},
         "no column with times|--future t"),
        (["t,x", *(f"{HOURS[i // 4]},{i}" for i in range(60))], {}, "most times .*--series"),
        (["t,x", *(f"{t},{i}" for i, t in enumerate(HOURS))], {"data_options__frequency": "1d"},
         "not regular steps of 1 day"),
        (["t,x", *(f"{t},{i}" for i, t in enumerate(HOURS))],
         {"data_options__split_steps": "90,9,2"}, "adds up to 101 steps; the data have 100"),
        (["t,x", "2024-01-01,1", "2024-01-02,2", "9024-01-03,3"], {}, "spread over 2,5.* steps"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(tmp_path, lines, given, message):
    with pytest.raises(KerasuiteError, match=message):
        survey(configured(write(tmp_path / "a.csv", *lines), **given))


def test_bad_rows_are_named_and_left_out(tmp_path):
    lines = ["t,x", *(f"{t},{i}" for i, t in enumerate(HOURS))]
    lines[10:16] = ["soon,1", f"{HOURS[10]},inf", f"{HOURS[11]},much", f"{HOURS[8]},5",
                    f"{HOURS[13]}:30,6", ",3"]  # fmt: skip
    found = survey(configured(write(tmp_path / "a.csv", *lines)))
    problems = {place.line: problem for place, problem in found.found.table.problems}
    assert problems == {
        11: "'soon' in column 't' is no date like YYYY-MM-DD",
        12: "'inf' in column 'x' is infinite",
        13: "'much' in column 'x' is no number",
        14: f"the time '{HOURS[8]}' repeats that of an earlier row",
        15: f"'{HOURS[13]}:30' in column 't' is not on a step of 1 hour",
        16: "the time 't' is missing",
    }
    (one,) = found.found.series
    assert len(one) == 100 and one.filled_steps == 6

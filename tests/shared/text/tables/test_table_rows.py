"""Rows of tables in every format: quotes, delimiters, damaged rows, columns."""

import csv
import gzip
import io
import json
import random
import sys

import pytest

from shared.common.errors import KerasuiteError
from shared.common.inputs import Source
from shared.text.tables.table_rows import TableRows, count_rows


def table(path, content, columns=None):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return TableRows(Source(path.name, path), columns)


def cells(rows):
    return [row.cells for row in rows if not row.problem]


def problems(rows):
    return [(row.line, row.problem) for row in rows if row.problem]


def test_quotes_delimiters_and_line_ends_in_cells(tmp_path):
    content = 'a, b,c\r\n1, "x, y",3\r\n\r\n"two\nlines","say ""hi""",\r\n'
    rows = table(tmp_path / "t.csv", content)
    assert list(rows) == [(2, ["1", "x, y", "3"], ""), (4, ["two\nlines", 'say "hi"', ""], "")]
    assert rows.columns == ["a", "b", "c"] and rows.unused == []


def test_random_tables_as_the_csv_module_writes_them(tmp_path):
    generator = random.Random(3)
    written = [
        [
            "".join(generator.choices('ab;,"\n\t|é', k=generator.randint(0, 9))).strip()
            for _ in "abc"
        ]
        for _ in range(300)
    ]
    for delimiter, name in ((",", "t.csv"), (";", "t.csv"), ("|", "t.csv"), ("\t", "t.tsv")):
        out = io.StringIO()
        csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([["x", "y", "z"]])
        csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(written)
        assert cells(table(tmp_path / name, out.getvalue())) == written, delimiter


def test_bad_rows_are_named_and_the_others_read_on(tmp_path):
    content = 'a,b\n1,2\n1,2,3\n"x"y,2\n5,6\n7\n8,"9\n10,11\n'
    rows = list(table(tmp_path / "t.csv", content))
    assert cells(rows) == [["1", "2"], ["5", "6"]]
    assert [line for line, _ in problems(rows)] == [3, 4, 6, 7]
    assert "3 cells instead of 2" in problems(rows)[0][1]
    assert "no valid CSV" in problems(rows)[1][1]
    assert problems(rows)[3][1] == (
        "a quotation mark is never closed (lines 7 to 8 are left out); close it"
    )


def test_chosen_columns_in_their_order(tmp_path):
    rows = table(tmp_path / "t.csv", "a,b,c\n1,2,3\n", ["c", "a"])
    assert cells(rows) == [["3", "1"]] and rows.unused == ["b"]
    with pytest.raises(KerasuiteError, match=r"has no column 'd' \(nor 1 more\); it has a, b, c"):
        list(table(tmp_path / "t.csv", "a,b,c\n1,2,3\n", ["d", "e"]))


def test_json_lines_and_lists(tmp_path):
    lines = '{"a": 1.50, "b": null}\n\n{"b": true, "c": "x\\ny"}\nnonsense\n[1]\n'
    rows = table(tmp_path / "t.jsonl", lines)
    assert cells(rows) == [["1.5", "", None], [None, "true", "x\ny"]]
    assert rows.columns == ["a", "b", "c"] and [line for line, _ in problems(rows)] == [4, 5]
    listed = json.dumps([{"a": 1, "b": [2]}, 3, {"b": "é"}])
    rows = list(table(tmp_path / "t.json", listed))
    assert cells(rows) == [["1", "[2]"], [None, "é"]]
    assert problems(rows) == [(2, "item 2 is no object; write a list of objects")]


def test_packed_and_utf16(tmp_path):
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a;b\n1;2\n"))
    assert cells(TableRows(Source("t.csv.gz", tmp_path / "t.csv.gz"))) == [["1", "2"]]
    assert cells(table(tmp_path / "t.csv", "a,b\né,2\n".encode("utf-16"))) == [["é", "2"]]
    rows = table(tmp_path / "t.csv", b"a,b\n\xff\x00,2\n" + b"3,4\n" * 20)
    assert cells(rows)[0] == ["\ufffd\ufffd", "2"] and rows.damaged == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty; give a file with a header"),
        ("a,,c\n1,2,3\n", "columns, name 2: a name is empty"),
        ("a, a\n1,2\n", "the name 'a' is there twice"),
        ('a,"b\nc"\n1,2\n', "goes over several lines"),
        ("1,2.5\n1,2\n", "its first row has numbers for names (1, 2.5); write a header above it"),
        ('"a\n', "a quotation mark is never closed"),
        (b"\0" * 50, "is no text file"),
    ],
)
def test_files_that_are_no_table(content, message, tmp_path):
    with pytest.raises(KerasuiteError) as error:
        list(table(tmp_path / "t.csv", content))
    assert message in str(error.value) and "t.csv" in str(error.value)
    with pytest.raises(KerasuiteError, match="is no table by its name"):
        list(table(tmp_path / "t.xlsx", content))


def test_rows_are_counted(tmp_path):
    rows = table(tmp_path / "t.csv", "a,b\n1,2\n3,4")
    assert count_rows(rows.source) == 2
    assert count_rows(table(tmp_path / "t.jsonl", '{"a": 1}\n').source) == 1


def test_memory_does_not_grow_with_the_file(tmp_path):
    """A table of 9 MB, of which a few rows are held at a time."""
    import tracemalloc

    with open(tmp_path / "t.csv", "w") as file:
        file.write("a,b,c\n")
        for _ in range(4):
            file.write(("1234567890123456789,some text,another text of a cell\n") * 40_000)
    tracemalloc.start()
    count = sum(1 for _ in TableRows(Source("t.csv", tmp_path / "t.csv")))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 160_000 and peak < 8 * 2**20


def test_parquet_needs_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    with pytest.raises(KerasuiteError, match="t.parquet: needs .*pyarrow.*`pip install pyarrow`"):
        list(TableRows(Source("t.parquet", tmp_path / "t.parquet")))


def test_parquet_is_read_as_a_csv_would_be(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    import datetime

    from pyarrow import parquet

    columns = {
        "n": [1, None, 3],
        "x": [1.5, 2.0, None],
        "t": ["a", "b\nc", None],
        "b": [True, None, False],
        "d": [datetime.date(2024, 5, 1), None, datetime.date(2023, 1, 31)],
    }
    path = tmp_path / "t.parquet"
    parquet.write_table(pyarrow.table(columns), path)
    rows = TableRows(Source("t.parquet", path), ["b", "x", "d", "n", "t"])
    assert cells(rows) == [
        ["true", "1.5", "2024-05-01", "1", "a"],
        ["", "2.0", "", "", "b\nc"],
        ["false", "", "2023-01-31", "3", ""],
    ]
    assert count_rows(rows.source) == 3 and rows.unused == []
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(KerasuiteError, match="is no Parquet file"):
        list(rows)

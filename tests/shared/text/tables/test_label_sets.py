"""Cells with several labels: parts, recognition, columns of 0 and 1."""

import doctest

import pytest

from shared.text.tables import label_sets
from shared.text.tables.label_sets import LabelCells, labels_in, recognised, truth_columns


def test_examples_of_the_docstrings():
    found = doctest.testmod(label_sets)
    assert found.attempted and not found.failed


@pytest.mark.parametrize(
    ("cell", "labels"),
    [
        ("a;b", ("a", "b")),
        (" a ; a;;b ", ("a", "b")),
        ("a, b", ("a, b",)),
        ("", ()),
        (";", ()),
        ('["a", "b;c", 27]', ("a", "b;c", "27")),
        ("[]", ()),
        ("[a", ("[a",)),
        ("[[1]]", ("[[1]]",)),
    ],
)
def test_labels_of_a_cell(cell, labels):
    assert labels_in(cell, ";") == labels


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["good", "bad"], LabelCells("single")),
        (["good", "funny", "good,funny", ""], LabelCells("multilabel", ",")),
        (["a", "b;a"], LabelCells("multilabel", ";")),
        # Names that hold a comma: their parts do not stand alone.
        (["Paris, France", "Lyon, France", "Oslo, Norway"], LabelCells("single")),
        (["World", "Sci, Tech"], LabelCells("single")),
        # Where both occur, semicolons part labels that have commas.
        (["a, b", "c", "a, b;c"], LabelCells("multilabel", ";")),
        (['["a"]', '["a", "b"]', "[]"], LabelCells("multilabel", ";")),
        ([], LabelCells("single")),
    ],
)
def test_recognition(cells, expected):
    assert recognised(cells) == expected


def test_columns_of_zeros_and_ones():
    columns = {"id": ["7", "8"], "a": ["0", "1"], "b": ["1.0", "0.0"], "c": ["0", ""]}
    assert truth_columns(columns) == ["a", "b"]
    assert truth_columns({"a": ["0", "1"], "x": ["2", "1"]}) == []

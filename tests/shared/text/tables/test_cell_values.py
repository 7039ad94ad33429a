"""Missing labels, numbers and decimal commas, as programs and people write them."""

import pytest

from shared.text.tables.cell_values import has_decimal_commas, missing_values, number_of


def test_missing_values_of_pandas_are_known():
    """All that pandas itself reads as missing, but for C's odd spellings of NaN."""
    parsers = pytest.importorskip("pandas._libs.parsers")
    theirs = {value for value in parsers.STR_NA_VALUES if "IND" not in value and "QN" not in value}
    assert theirs <= missing_values(["a"]) | {"#N/A N/A"}


@pytest.mark.parametrize(
    ("values", "is_missing"),
    [
        (["-1"] * 9, True),  # GLUE's test files
        (["-1.0"] * 9, True),
        (["0", "1", "2"] * 99 + ["-1"], True),  # SNLI
        (["-1", "0", "1"] * 99, False),  # sentiment
        (["-1", "1"] * 99, False),
        (["0.5"] * 500 + ["-1"], False),
    ],
)
def test_minus_one(values, is_missing):
    assert bool({"-1", "-1.0"} & missing_values(values)) == is_missing


def test_numbers():
    assert number_of("3.5") == number_of("3,5", decimal_comma=True) == 3.5
    assert [number_of(text) for text in ("3,5", "nan", "inf", "x", "")] == [None] * 5
    assert has_decimal_commas(["3,5", "4"]) and has_decimal_commas(["1,234", "0,5"])
    assert not has_decimal_commas(["1,234", "12,345"]) and not has_decimal_commas(["1,5", "2.5"])

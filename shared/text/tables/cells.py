"""Cells of a table: the same rules in Python, where columns are recognised, and in the graph."""

import math
import re

import numpy as np
import tensorflow as tf

from shared.text.tables.cell_values import MISSING as MISSING_LABELS

# What stands for a missing value; "?" is that of UCI's files.
MISSING = frozenset(MISSING_LABELS | {"?"})
# TensorFlow strips these, and Python other blanks too.
BLANKS = " \t\n\v\f\r"
NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
DECIMAL_COMMA = r"([+-]?[0-9]*),([0-9]+)"
# Written by programs for numbers that are none.
INFINITE = r"(?i)[+-]?inf(?:inity)?"
BOOLEANS = (("false", "true"), ("no", "yes"), ("n", "y"), ("f", "t"), ("off", "on"))
TRUTH = {word: float(value) for pair in BOOLEANS for value, word in enumerate(pair)}

_NUMBER, _COMMA = re.compile(NUMBER), re.compile(DECIMAL_COMMA)
_MISSING_PATTERN = "|".join(re.escape(word) for word in sorted(MISSING))


def clean(cell: str | None) -> str:
    """A cell without blanks around it and line ends within; "" if it is not there.

    >>> clean(" New\\nYork ")
    'New York'
    """
    return "" if cell is None else cell.replace("\n", " ").strip(BLANKS)


def number_of(cell: str, decimal_comma: bool = False) -> float | None:
    """The number of a clean cell; None if it is none. May be infinite: 1e999.

    >>> number_of("1e3"), number_of("3,5", decimal_comma=True), number_of("1_000")
    (1000.0, 3.5, None)
    """
    if decimal_comma and (found := _COMMA.fullmatch(cell)):
        cell = f"{found[1]}.{found[2]}"
    return float(cell) if _NUMBER.fullmatch(cell) else None


def is_infinite(cell: str) -> bool:
    """Whether a clean cell is an infinite number."""
    number = number_of(cell)
    return bool(re.fullmatch(INFINITE, cell)) or (number is not None and math.isinf(number))


def number_fault(name: str, cell: str, decimal_comma: bool) -> str:
    """Reason why a cell is no number, or "".

    Args:
        name: of the column.
        cell: clean, not missing.
        decimal_comma: of the column.
    """
    number = number_of(cell, decimal_comma)
    if number is not None and math.isfinite(number):
        return ""
    what = "infinite" if is_infinite(cell) else "no number"
    return f"'{cell}' in column '{name}' is {what}"


# === The same in the graph ===


def cleaned(cells: tf.Tensor) -> tf.Tensor:
    """`clean` of a string tensor of any shape."""
    return tf.strings.strip(tf.strings.regex_replace(cells, r"\n", " "))


def are_missing(cells: tf.Tensor) -> tf.Tensor:
    """Which of clean cells stand for a missing value."""
    return tf.strings.regex_full_match(cells, _MISSING_PATTERN)


def numbers_of(cells: tf.Tensor, decimal_commas: np.ndarray) -> tf.Tensor:
    """The numbers of clean cells.

    Args:
        cells: string tensor (N, K).
        decimal_commas: bool array (K,). Which columns have them.

    Returns:
        float64 tensor (N, K), NaN where a cell is no finite number.
    """
    if decimal_commas.any():
        with_points = tf.strings.regex_replace(cells, f"^{DECIMAL_COMMA}$", r"\1.\2")
        cells = tf.where(tf.constant(decimal_commas)[None, :], with_points, cells)
    are_numbers = tf.strings.regex_full_match(cells, NUMBER)
    return parsed(cells, are_numbers)


def truths_of(cells: tf.Tensor) -> tf.Tensor:
    """1 for yes, 0 for no, in any of their spellings, else NaN: float64 of the same shape."""
    lower = tf.strings.lower(cells)
    words = {truth: [w for w, value in TRUTH.items() if value == truth] for truth in (0.0, 1.0)}
    are_yes, are_no = (
        tf.strings.regex_full_match(lower, "|".join(words[truth])) for truth in (1.0, 0.0)
    )
    nan = tf.constant(math.nan, tf.float64)
    return tf.where(are_yes, tf.ones_like(nan), tf.where(are_no, tf.zeros_like(nan), nan))


def parsed(cells: tf.Tensor, are_numbers: tf.Tensor) -> tf.Tensor:
    """The cells as float64, NaN where they are said to be none, or not finite."""
    numbers = tf.strings.to_number(tf.where(are_numbers, cells, "0"), tf.float64)
    nan = tf.constant(math.nan, tf.float64)
    return tf.where(are_numbers & tf.math.is_finite(numbers), numbers, nan)

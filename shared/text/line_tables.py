"""Lookup tables of a text file with one entry a line, which becomes an asset of a SavedModel."""

from pathlib import Path

import tensorflow as tf

_LINE, _NUMBER = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER


def line_by_number(path: str | Path, default: str = "") -> tf.lookup.StaticHashTable:
    """Table from int64 line numbers, counted from 0, to strings.

    Args:
        path: UTF-8 file. It is copied into `assets/` when a module that tracks the table is saved.
        default: value of other numbers.
    """
    lines = tf.lookup.TextFileInitializer(str(path), tf.int64, _NUMBER, tf.string, _LINE)
    return tf.lookup.StaticHashTable(lines, default)


def number_by_line(path: str | Path, default: int = -1) -> tf.lookup.StaticHashTable:
    """Table from strings to int64 line numbers, counted from 0.

    Args:
        path: UTF-8 file without repeated lines.
        default: value of other strings.
    """
    numbers = tf.lookup.TextFileInitializer(str(path), tf.string, _LINE, tf.int64, _NUMBER)
    return tf.lookup.StaticHashTable(numbers, default)

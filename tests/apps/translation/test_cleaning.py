"""Pairs that are left out of the training, and the report of them."""

import json

import numpy as np
import pytest

from apps.translation.config import PairsConfig
from apps.translation.pairs.cleaning import clean_pairs
from apps.translation.pairs.sentence_pairs import SentencePairs
from shared.common.errors import KerasuiteError
from shared.common.files import write_json

ROWS = [
    ("a", "b"),
    ("", "b"),
    ("a", " "),
    ("x " * 11, "y " * 9),
    ("x " * 7, "y"),
    ("x " * 6, "y " * 2),
    (" a", "b  "),
    ("a", "c"),
    ("e\u0301", "b"),
    ("\u00e9", "b"),
]


def pairs_of(rows):
    source, target = zip(*rows, strict=True)
    pairs = SentencePairs(list(source), list(target), [f"f:{n}" for n in range(1, len(rows) + 1)])
    lengths = [np.array([len(text.split()) for text in side]) for side in (source, target)]
    return pairs, *lengths


def test_every_reason_is_counted():
    options = PairsConfig(max_tokens=10, max_ratio=3)
    cleaned = clean_pairs(*pairs_of(ROWS), options)
    assert cleaned.kept.tolist() == [0, 5, 7, 8]
    assert cleaned.pairs.where == ["f:1", "f:6", "f:8", "f:9"]
    assert cleaned.report == {
        "pairs": 10,
        "kept": 4,
        "left_out": {
            "empty side": {"pairs": 2, "first": ["f:2", "f:3"]},
            "too long": {"pairs": 1, "first": ["f:4"]},
            "length ratio": {"pairs": 1, "first": ["f:5"]},
            "duplicate": {"pairs": 2, "first": ["f:7", "f:10"]},
        },
        "limits": {"max_tokens": 10, "max_ratio": 3.0},
    }
    assert cleaned.summary() == (
        "6 of 10 training pairs left out: 2 empty side (f:2), 1 too long (f:4), "
        "1 length ratio (f:5), 2 duplicate (f:7)"
    )
    kept = clean_pairs(
        *pairs_of(ROWS), PairsConfig(max_tokens=10, max_ratio=3, keep_duplicates=True)
    )
    assert kept.kept.tolist() == [0, 5, 6, 7, 8, 9]


def test_the_report_goes_into_a_file(tmp_path):
    rows = [("a", "")] * 20 + [("a", "b")]
    cleaned = clean_pairs(*pairs_of(rows), PairsConfig())
    write_json(tmp_path / "cleaning.json", cleaned.report)
    read = json.loads((tmp_path / "cleaning.json").read_text())
    assert read["left_out"]["empty side"]["pairs"] == 20
    assert len(read["left_out"]["empty side"]["first"]) == 5
    assert clean_pairs(*pairs_of(rows[-1:]), PairsConfig()).summary() == ""


def test_nothing_left():
    with pytest.raises(KerasuiteError, match="2 of 2 training pairs left out: 2 too long.*none is"):
        clean_pairs(*pairs_of([("x " * 20, "y " * 20)] * 2), PairsConfig(max_tokens=8))

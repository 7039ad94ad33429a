"""Augmented sentences: only what fits, never the same twice."""

import numpy as np

from apps.bert.distillation.augmentation import augmented, first_found


def fruit(words):
    return [["pear", "plum"] if word == "apple" else [] for word in words]


def test_only_words_with_candidates_change():
    rows = augmented(["an apple a day"], fruit, 20, 0.5, np.random.default_rng(0))
    assert sorted(next(rows)) == ["an pear a day", "an plum a day"]


def test_nothing_changes_without_probability_or_words():
    rows = list(augmented(["an apple", ""], fruit, 5, 0.0, np.random.default_rng(0)))
    assert rows == [[], []]


def test_the_second_source_fills_the_gaps_of_the_first():
    def any_word(words):
        return [["other"] for _ in words]

    assert first_found(fruit, any_word)(["an", "apple"]) == [["other"], ["pear", "plum"]]

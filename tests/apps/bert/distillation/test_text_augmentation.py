"""Augmented sentences: only what fits, never the same twice."""

import numpy as np
import pytest

from apps.bert.distillation.augmentation import augmented, first_found
from apps.bert.distillation.tools import augmented_rows
from apps.bert.embedding.predictor import EmbeddingPredictor
from apps.bert.tasks.read import read_file
from shared.common.errors import UsageError
from shared.testing.app_test import expect_success, kerasuite


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


def table_of(path, text):
    """A table, read and written again with its augmented rows."""
    path.write_text(text)
    changes = fruit, 80, 0.5, np.random.default_rng(0)
    rows = list(augmented_rows(read_file(path), *changes))
    path.write_text("".join("\t".join(row) + "\n" for row in rows))
    return rows, read_file(path)


def test_both_texts_of_a_pair_change(tmp_path):
    text = "sentence1\tsentence2\tlabel\nan apple\tno apple no apple\tyes\nnone\tmore\tno\n"
    rows, found = table_of(tmp_path / "pairs.tsv", text)
    assert found.task_type == "pair" and rows[-1] == ("none", "more", "no")
    first, second = ({row[column] for row in rows[1:-1]} for column in (0, 1))
    assert first == {"an apple", "an pear", "an plum"}
    kinds = ("apple", "pear", "plum")
    assert second == {f"no {one} no {other}" for one in kinds for other in kinds}
    assert {row[2] for row in rows[1:-1]} == {"yes"}


def test_numbers_stay_numbers(tmp_path):
    text = "sentence1\tsentence2\tscore\nan apple\tapple\t3\na\tb\t1\n"
    rows, found = table_of(tmp_path / "scores.tsv", text)
    assert found.task_type == "regression" and len(rows) > 3
    assert {example.label for example in found.examples} == {1.0, 3.0}


def test_the_table_is_read_as_fine_tuning_reads_it(tmp_path, capsys):
    """Columns and type are options; numbers are classes, and the next command says so."""
    data, vectors, output = (tmp_path / name for name in ("data.csv", "words.txt", "out.tsv"))
    data.write_text("number,body,tone\n1,an apple,3\n2,a pear,4.5\n")
    vectors.write_text("apple 1 0\nplum 0.9 0.1\n")
    options = ["--text-column", "body", "--label-column", "tone", "--task-type", "classification"]
    done = kerasuite(
        "bert", "augment", data, "--output", output, "--vectors", vectors, "--probability", 1,
        *options,
    )  # fmt: skip
    expect_success(done)
    rows = [line.split("\t") for line in output.read_text().splitlines()]
    assert rows == [["sentence", "label"], ["an apple", "3"], ["an plum", "3"], ["a pear", "4.5"]]
    assert "--task-type classification --teacher RUN" in done.stdout.replace("\n", " ")


def test_word_pieces_are_not_pooled():
    with pytest.raises(UsageError, match="--pooling cls: .* leave it out with --tokens"):
        EmbeddingPredictor("cls", tokens=True)
    assert EmbeddingPredictor(tokens=True).settings() == {"pooling": "mean", "tokens": True}

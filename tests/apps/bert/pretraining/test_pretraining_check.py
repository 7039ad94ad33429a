"""`kerasuite bert check --task pretrain`, and text that is too little to evaluate on."""

import numpy as np
import pytest
from typer.testing import CliRunner

from apps.bert.commands import commands
from apps.bert.pretraining.check import describe
from apps.bert.pretraining.config import PretrainConfig
from apps.bert.pretraining.data import make_examples, prepare_text
from apps.bert.pretraining.sequences import encode_text
from shared.common import config as configs
from shared.common.errors import SOME_REJECTED, KerasuiteError, UsageError
from shared.text.wordpiece_tokenizer import SPECIAL_TOKENS, WordPieceTokenizer


def check(*arguments):
    return CliRunner().invoke(commands, ["check", *map(str, arguments)])


def test_plain_text(tmp_path):
    (tmp_path / "a.txt").write_text("one two\nthree\n\nfour\n")
    found = check(tmp_path, "--task", "pretrain")
    assert found.exit_code == 0
    assert "3 lines in 2 documents" in found.output and "4 words, 16 characters" in found.output
    assert "No problems found." in found.output and "--pairs" not in found.output


def test_what_is_wrong_with_plain_text(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"one\nb\xffd\n" + b"same\n" * 3 + b"x" * 4001)
    found = check(tmp_path / "a.txt", "--task", "pretrain")
    assert found.exit_code == SOME_REJECTED
    for part in (
        "1 lines hold bytes that are not UTF-8",
        "2 of 6 lines are duplicates",
        "1 lines are longer",
        "3 problem(s)",
        "one document only; --pairs next",
    ):
        assert part in found.output


def test_one_document_has_no_other_to_pair_with(tmp_path):
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    config = configs.resolve(PretrainConfig, {"preset": "test", "data": (str(tmp_path),)})
    contents, problems = describe(config)
    assert len(contents) == 2 and [line.split(";")[0] for line in problems] == ["one document only"]


def test_labelled_data_are_meant_otherwise(tmp_path):
    rows = "".join(f"text {number}\t{number % 2}\n" for number in range(20))
    (tmp_path / "train.tsv").write_text(f"sentence\tlabel\n{rows}")
    assert "task type: classification" in check(tmp_path).output
    assert "--task" in check("--help").output
    found = check(tmp_path, "--task", "pretrain", "--text-column", "a")
    assert isinstance(found.exception, UsageError)
    assert str(found.exception).startswith("--text-column: applies to labelled data; leave it out")


@pytest.mark.parametrize(
    ("lines", "pairs", "lacks"),
    [
        (["", ""], "none", "no words"),
        (["a b", "", "b a"], "next", "no document of two lines"),
        (["a b", "", "b a"], "order", "no document of two lines"),
    ],
)
def test_too_little_text_to_evaluate_on(lines, pairs, lacks):
    tokenizer = WordPieceTokenizer([*SPECIAL_TOKENS, "a", "b"], True)
    config = configs.resolve(PretrainConfig, {"preset": "test", "sequences.pairs": pairs})
    arguments = config, tokenizer, config.masking, False, "new.txt"
    message = f"^new.txt: too little text to evaluate on, it has {lacks}"
    with pytest.raises(KerasuiteError, match=message):
        make_examples(encode_text(lines, tokenizer), *arguments)
    enough = make_examples(encode_text(["a b", "b a"], tokenizer), *arguments)
    x, _ = enough.batch(np.arange(len(enough)))
    assert len(x["token_ids"]) == 1


def test_damaged_bytes_are_said_in_training_too(tmp_path, capsys):
    (tmp_path / "a.txt").write_bytes(b"\xff" + b"a b b a\n" * 40 + b"\0 a b\n" + b"a b\n" * 99)
    values = {"preset": "test", "data": (str(tmp_path / "a.txt"),)}
    tokenizer = WordPieceTokenizer([*SPECIAL_TOKENS, "a", "b"], True)
    prepare_text(configs.resolve(PretrainConfig, values), tokenizer, tmp_path)
    assert "2 bytes in 1 file(s) are not UTF-8 or zero" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("a.tsv", "r\xe9sum\xe9 {}\t{}\n", "30 line(s) are not UTF-8, first line 1"),
        ("a.tsv", "text {} of it\tham\n", "all labels are 'ham'"),
        ("a.conll", "w{} NN\nv NN\n\n", "all labels are 'NN'"),
    ],
)
def test_what_is_wrong_with_labelled_data(tmp_path, name, row, message):
    rows = "".join(row.format(number, number % 2) for number in range(30))
    (tmp_path / name).write_bytes(rows.encode("latin-1"))
    found = check(tmp_path / name)
    assert found.exit_code == SOME_REJECTED and message in found.output

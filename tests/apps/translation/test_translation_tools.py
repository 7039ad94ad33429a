"""The commands beside training: attention, scores of pairs, the prompt."""

import functools
import io
import math

import numpy as np
import pytest
import typer
from PIL import Image

from apps.translation import tools
from apps.translation.prediction.search import Search
from shared.common.errors import SOME_REJECTED, KerasuiteError, UsageError
from shared.engine.saved_model import loaded_model
from tests.apps.translation.toy_translator import save_toy

APP = "toy_translator:ToyTranslateApp"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loaded_model, "_load", functools.cache(loaded_model._load))
        yield save_toy(tmp_path_factory.mktemp("tools") / "model")


def pair_files(folder, pairs):
    for side, name in enumerate(("a.en", "a.de")):
        text = "".join(f"{pair[side]}\n" for pair in pairs)
        (folder / name).write_text(text, encoding="utf-8")
    return [str(folder / "a.en"), str(folder / "a.de")]


# Attention


def test_attention_prints_the_translation_and_draws(model, tmp_path, capsys):
    tools.attention(APP, model, " drei [bold]große\x07 Hunde\n", tmp_path / "deep/a.png")
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "HUNDE [BOLD]GROSSE DREI" or out[0] == "HUNDE [BOLD]GROßE DREI"
    assert str(tmp_path / "deep/a.png") in out[1]
    assert np.asarray(Image.open(tmp_path / "deep/a.png")).std() > 0


@pytest.mark.parametrize(
    ("sentence", "message"),
    [("", "is empty"), (" \x00 ", "is empty"), ("w " * 101, "has more than 100 words")],
)
def test_attention_wants_one_sentence(model, tmp_path, sentence, message):
    with pytest.raises(KerasuiteError, match=f"SENTENCE {message}"):
        tools.attention(APP, model, sentence, tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_attention_is_long_by_what_the_model_reads(model, tmp_path):
    with pytest.raises(KerasuiteError, match="SENTENCE is too long"):
        tools.attention(APP, model, "🎉" * 300, tmp_path / "a.png")


@pytest.mark.parametrize("name", ["x.jpg", "x", "x.png.pdf"])
def test_attention_writes_png_only(model, tmp_path, name):
    with pytest.raises(UsageError, match=rf"--output .*{name}: .* ends with .png"):
        tools.attention(APP, model, "a b", tmp_path / name)
    assert not list(tmp_path.iterdir())


# Scores


def test_scores_of_pairs_in_their_order(model, tmp_path, capsys):
    generator = np.random.default_rng(0)
    counts = generator.integers(1, 30, (150, 2))
    files = pair_files(tmp_path, [["w " * a + "e", "v " * b + "x"] for a, b in counts])
    tools.score(APP, model, files, tmp_path / "out/scores.tsv")
    table = (tmp_path / "out/scores.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in table[1:]]
    assert table[0] == "where\tscore\ttokens\tsource\ttarget"
    assert [(float(row[1]), int(row[2])) for row in rows] == [
        (-(a + 1.0), b + 2) for a, b in counts.tolist()
    ]
    assert [row[0].rpartition(":")[2] for row in rows] == [str(n + 1) for n in range(150)]
    tokens = int((counts[:, 1] + 2).sum())
    mean = -float((counts[:, 0] + 1).sum()) / tokens
    out = capsys.readouterr().out
    assert f"150 pairs, {tokens:,} target tokens: {mean:.4f} per token" in out
    assert f"perplexity {math.exp(-mean):.2f}" in out


def test_scores_of_strange_pairs(model, tmp_path, capsys):
    pairs = [["a", "b"], ["w " * 5000, "x"], ["a\tb\x85", ""], ["c d", "y " * 5000], ["e", "f g"]]
    with pytest.raises(typer.Exit) as ended:
        tools.score(APP, model, pair_files(tmp_path, pairs), tmp_path / "scores.tsv")
    assert ended.value.exit_code == SOME_REJECTED
    lines = (tmp_path / "scores.tsv").read_text(encoding="utf-8").split("\n")
    rows = [line.split("\t") for line in lines[1:-1]]
    assert [row[1:3] for row in rows] == [
        ["-1.000000", "2"],
        ["", ""],
        ["-2.000000", "1"],
        ["", ""],
        ["-1.000000", "3"],
    ]
    captured = capsys.readouterr()
    assert "3 pairs" in captured.out
    assert f"{tmp_path / 'a.en'}:2: 2 pair(s) have a side of more than 1000" in captured.err


def test_pairs_that_are_scored_in_part_are_named(model, tmp_path, capsys):
    pairs = [["a", "b"], ["a", "x" * 512], ["a", "x" * 511], ["x" * 600, "b"]]
    tools.score(APP, model, pair_files(tmp_path, pairs), tmp_path / "scores.tsv")
    errors = capsys.readouterr().err
    assert f"{tmp_path / 'a.en'}:2: 2 pair(s) have a side of more than 511 tokens" in errors


def test_scores_of_another_script(model, tmp_path, capsys):
    pairs = [["a dog", "собака лежит"], ["a cat", "кошка сидит"], ["two names", "John Smith"]]
    tools.score(APP, model, pair_files(tmp_path, pairs), tmp_path / "scores.tsv")
    errors = capsys.readouterr().err
    assert errors.count("warning") == 1
    assert f"{tmp_path / 'a.en'}: the target sentences are CYRILLIC script" in errors
    assert "LATIN" in errors


def test_notes_on_scored_files(model, tmp_path, capsys):
    (tmp_path / "a.tsv").write_text("a\tb\n\nc\td\n")
    tools.score(APP, model, [str(tmp_path / "a.tsv")], tmp_path / "scores.tsv")
    assert f"{tmp_path / 'a.tsv'}:2: 1 blank row(s)" in capsys.readouterr().err


# The prompt


class Piped:
    def __init__(self, data):
        self.buffer = io.BytesIO(data)

    def isatty(self):
        return False


def test_piped_input_gives_a_line_for_each_line(model, monkeypatch, capsys):
    data = b"a b\r\n\n\xff c\n" + b"w " * 250 + b"\n \x00\nlast"
    monkeypatch.setattr("sys.stdin", Piped(data))
    tools.interactive(APP, model)
    out = capsys.readouterr().out.split("\n")
    assert out[:3] == ["B A", "", "C \ufffd"]
    assert out[3] == " ".join(["W"] * 250)
    assert out[4:] == ["", "LAST", ""]


def test_options_of_the_prompt(model, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", Piped(b"a\n"))
    tools.interactive(APP, model, search=Search(beam_size=2))
    assert capsys.readouterr().out == "A 2 0.6\n"


def test_typed_lines_end_with_the_input(model, monkeypatch, capsys):
    # Python gives bytes that are no UTF-8 as surrogates.
    lines = iter(["one two", "", "a \udcff"])

    def typed(prompt):
        print(prompt, end="")
        try:
            return next(lines)
        except StopIteration:
            raise EOFError from None

    class Terminal:
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("builtins.input", typed)
    tools.interactive(APP, model)
    assert capsys.readouterr().out == "> TWO ONE\n> \n> ? A\n> \n"


def test_a_bad_line_does_not_end_the_prompt(model, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", Piped(b"a\nto fail\nb\n"))
    tools.interactive(APP, model)
    captured = capsys.readouterr()
    assert captured.out == "A\n\nB\n"
    assert "bad content" in captured.err


def test_a_model_of_another_task(tmp_path, model):
    with pytest.raises(KerasuiteError):
        tools.interactive(APP, tmp_path)

"""The application from the command line: learning, metrics, writing, bad input."""

import io
import json
import math
import shutil
import sys

import numpy as np
import pytest
import tensorflow as tf

from apps.language.app import LanguageApp
from shared.engine.run import load_best, open_run
from tests.in_process import run_command

LINE = "the quick brown fox jumps over the lazy dog and runs away.\n"


def expect(done, code=0):
    assert done.returncode == code, done.stdout + done.stderr
    return done


def rows_of(folder):
    lines = (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def error_of(*arguments, code=1):
    done = expect(run_command("lm", *arguments), code)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("kerasuite: ")]
    return line.removeprefix("kerasuite: ")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    (folder / "text.txt").write_text(LINE * 40)
    return folder / "text.txt"


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """A model that knows one line by heart."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    expect(run_command(
        "lm", "train", data, "--preset", "test", "--output", folder, "--epochs", 30,
        "--hidden-dim", 32, "--sequence-length", 64, "--batch-size", 4, "--learning-rate", 0.01,
        "--validate-every", 15, "--temperature", 0.5,
    ))  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    root = tmp_path_factory.mktemp("saved_models")
    expect(run_command("lm", "export", run, "--output", root))
    return root / "lm" / "run"


def test_one_line_is_learnt_by_heart(run):
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["perplexity"] < 1.2
    assert metrics["perplexity"] == pytest.approx(math.exp(metrics["loss"]))
    assert metrics["characters"] == metrics["tokens"] - 1 == 4 * len(LINE)
    assert metrics["word_perplexity"] > metrics["perplexity"]
    bits = metrics["loss"] * metrics["tokens"] / metrics["characters"] / math.log(2)
    assert metrics["bits_per_character"] == metrics["bits_per_byte"] == pytest.approx(bits)
    assert (run / "samples" / "epoch-030.txt").read_text().count("-" * 72) == 2
    assert "jumps" not in (run / "samples" / "surprises.html").read_text()  # It is in parts.


def test_validation_is_the_perplexity_of_the_text(run):
    """Of the tokens in the run folder, read by the model in one go for every prediction."""
    app = LanguageApp()
    opened = open_run(app, run)
    model = load_best(app, opened)
    tokens = np.fromfile(run / "validation.bin", "<i4")
    length, total = 64, 0.0
    for begin in range(0, len(tokens) - 1, length // 2):
        window = tokens[begin : begin + length + 1]
        if len(window) < 2 or (begin and len(window) <= length // 2 + 1):
            break
        hidden = model.hidden_states(window[None, :-1])
        logs = tf.nn.log_softmax(model.logits(hidden)[0]).numpy()
        found = logs[np.arange(len(window) - 1), window[1:]]
        total += float(found[length // 2 if begin else 0 :].sum())
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["loss"] == pytest.approx(-total / (len(tokens) - 1), rel=1e-4)


def test_it_writes_what_it_learnt(exported, run):
    done = expect(run_command(
        "lm", "sample", exported, "--prompt", "the quick", "--temperature", 0, "--samples", 2,
        "--max-tokens", 40, "--stop", ".",
    ))  # fmt: skip
    text = "the quick brown fox jumps over the lazy dog and r"
    assert done.stdout.splitlines() == [text, "-" * 72, text]
    hot = ("lm", "sample", exported, "--temperature", 3, "--seed")
    three, four = expect(run_command(*hot, 3, "--samples", 2)).stdout.split(f"\n{'-' * 72}\n")
    assert expect(run_command(*hot, 4, "--samples", 1)).stdout == four != f"{three}\n"


def test_files_and_lines_are_continued(exported, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_bytes(b"the lazy\r\n\nthe q\xff\n" + LINE.encode() * 3)
    (tmp_path / "in" / "b.txt").write_bytes(b"\0" * 100)
    common = (exported, tmp_path / "in", "--temperature", 0, "--max-tokens", 4)
    expect(run_command("lm", "predict", *common, "--output", tmp_path / "lines"))
    rows = rows_of(tmp_path / "lines")
    assert (rows[0]["file"], rows[0]["line"], rows[0]["text"]) == ("a.txt", 1, " dog")
    assert rows[0]["notes"] == [] and rows[0]["score"] < 0
    assert "1 token(s) are not in the vocabulary" in rows[2]["notes"]
    assert "invalid UTF-8 was replaced" in rows[2]["notes"]
    assert rows[3]["text"] == "the "[: len(rows[3]["text"])] or rows[3]["text"] == "\nthe"
    done = run_command("lm", "predict", *common, "--whole-files", "--output", tmp_path / "files")
    expect(done, 3)
    (row,) = rows_of(tmp_path / "files")
    assert row["notes"][0].startswith("only the last 61 of ")
    whole = (tmp_path / "files" / "texts" / "a.txt").read_text()
    assert whole == "the lazy\n\nthe q\ufffd\n" + LINE * 3 + row["text"]
    (bad,) = (tmp_path / "files" / "errors.jsonl").read_text().splitlines()
    assert "is no text file" in bad


def test_several_texts_for_a_prompt(exported, tmp_path):
    (tmp_path / "a.txt").write_text("the\nfox\n")
    common = ("lm", "predict", exported, tmp_path / "a.txt", "--max-tokens", 6)
    expect(run_command(*common, "--samples", 3, "--seed", 5, "--temperature", 2,
                       "--output", tmp_path / "three"))  # fmt: skip
    expect(run_command(*common, "--seed", 6, "--temperature", 2, "--output", tmp_path / "one"))
    three, one = (rows_of(tmp_path / name) for name in ("three", "one"))
    assert [len(row["texts"]) for row in three] == [3, 3]
    assert [row["texts"][1]["text"] for row in three] == [row["text"] for row in one]
    expect(run_command(*common, "--beam-size", 4, "--n-best", 2, "--output", tmp_path / "best"))
    best = rows_of(tmp_path / "best")[0]
    scores = [found["score"] for found in best["texts"]]
    assert best["text"] in (" quick", " lazy ") and scores == sorted(scores, reverse=True)


def test_lines_are_scored(exported, tmp_path):
    (tmp_path / "a.txt").write_text("the quick brown\n\nnworb kciuq eht\n")
    expect(run_command("lm", "score", exported, tmp_path / "a.txt", "--output", tmp_path / "out"))
    good, empty, bad = rows_of(tmp_path / "out")
    assert good["log_probability"] > bad["log_probability"] + 10 and good["tokens"] == 15
    assert good["perplexity"] == pytest.approx(math.exp(-good["log_probability"] / 15), rel=1e-4)
    assert (empty["log_probability"], empty["tokens"]) == (0, 0) and "perplexity" not in empty
    scores = (tmp_path / "out" / "scores" / "a.txt").read_text().splitlines()
    assert [float(score) for score in scores] == [r["log_probability"] for r in (good, empty, bad)]


class Piped:
    def __init__(self, data):
        self.buffer = io.BytesIO(data)

    def isatty(self):
        return False


def test_piped_lines_are_continued(exported, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Piped(b"the lazy\r\nquick\n"))
    done = expect(run_command("lm", "interactive", exported, "--temperature", 0,
                              "--max-tokens", 4))  # fmt: skip
    assert done.stdout.splitlines() == ["the lazy dog", "quick bro"]


def test_other_text_is_evaluated(run, tmp_path):
    (tmp_path / "other.txt").write_text("the lazy fox?\n")
    expect(run_command("lm", "evaluate", run, tmp_path / "other.txt"))
    metrics = json.loads((run / "evaluation" / "metrics.json").read_text())
    assert metrics["tokens"] == 15 and metrics["unknown_tokens"] == 1
    assert metrics["loss"] > json.loads((run / "metrics.json").read_text())["loss"]


def test_check_describes_the_text(data, tmp_path):
    done = expect(run_command("lm", "check", data))
    assert "train: 2,124 characters, 432 words, 2,124 tokens, 0 ends of documents" in done.stdout
    assert "vocabulary: char, 33 tokens" in done.stdout and "No problems" in done.stdout
    (tmp_path / "bad.txt").write_bytes(LINE.encode() * 9 + b"\xff" + "猫\n".encode() * 40)
    problems = expect(run_command("lm", "check", tmp_path / "bad.txt"), 3).stdout
    assert "1 byte(s) are not UTF-8 or zero" in problems


@pytest.mark.slow
def test_a_run_goes_on_from_another_with_its_vocabulary_and_network(run, tmp_path):
    (tmp_path / "more.txt").write_text("the new dog and the old fox. " * 30)
    done = expect(run_command(
        "lm", "train", tmp_path / "more.txt", "--preset", "test", "--init", run, "--epochs", 1,
        "--sequence-length", 64, "--vocabulary", "word", "--output", tmp_path / "run",
    ))  # fmt: skip
    assert "brings its vocabulary and network; not used: --vocabulary word" in " ".join(
        done.stderr.split()
    )
    same = (tmp_path / "run" / "characters.json").read_bytes()
    assert same == (run / "characters.json").read_bytes()
    assert "begins untrained" not in done.stderr


# === Bad input ===


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"", (), "no text in it; give files with text"),
        (b"one line", (), "tokens to train on do not fill a window of 16"),
        (b"aaaa" * 99, (), "only 'a' stands in the training text"),
        (bytes(range(256)) + bytes(99), (), "is no text file (it has zero bytes)"),
        (b"ab" * 99, ("--sequence-length", "200"), "do not fill a window of 200; give more text"),
        (b"ab" * 99, ("--vocabulary", "bpe", "--vocabulary-size", "50"), "--vocabulary-size 50: "),
        (b"ab" * 99, ("--num-heads", "3"), "--num-heads 3: does not divide --hidden-dim 16"),
        (b"ab" * 99, ("--positions", "rotary", "--num-heads", "16"), "--num-heads 16: heads of"),
        (b"ab" * 99, ("--positions", "sinusoidal", "--hidden-dim", "9", "--num-heads", "3"),
         "--hidden-dim 9: give an even number"),
        (b"ab" * 99, ("--architecture", "gru", "--num-heads", "2"), "--num-heads: is not used wi"),
        (b"ab" * 99, ("--validation", "nothing.txt"), "INPUT nothing.txt does not exist"),
    ],
    ids=lambda value: "" if isinstance(value, (bytes, tuple)) else value[:30],
)  # fmt: skip
def test_text_that_cannot_be_trained_on(content, options, message, tmp_path):
    (tmp_path / "text.txt").write_bytes(content)
    arguments = ("train", tmp_path / "text.txt", "--preset", "test", *options)
    error = error_of(*arguments, "--output", tmp_path / "run")
    assert message in error and not (tmp_path / "run").exists()


def test_damaged_tokens_are_noticed(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "run" / "tokens.bin"
    path.write_bytes(path.read_bytes()[:-4] + b"\1\0\0\0")
    assert "tokens.bin: is damaged" in error_of("train", "--output", tmp_path / "run", "--resume",
                                                "--epochs", 31)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "options"),
    [
        ("rnn", ("--vocabulary", "word", "--vocabulary-size", "12")),
        ("lstm", ("--vocabulary", "unigram", "--vocabulary-size", "280", "--dropout", "0.1")),
    ],
)
def test_other_networks_and_tokens(network, options, data, tmp_path):
    """Trained, exported and asked; words beyond the vocabulary are counted."""
    folder = tmp_path / "run"
    done = expect(run_command("lm", "train", data, "--architecture", network, "--num-layers", 1,
                              "--hidden-dim", 8, "--epochs", 1, "--sequence-length", 16,
                              "--max-tokens", 5, *options, "--output", folder))  # fmt: skip
    assert ("are not in the vocabulary" in done.stderr) == (network == "rnn")
    text = expect(run_command("lm", "sample", folder, "--prompt", "the fox", "--samples", 1)).stdout
    assert text.startswith("the fox") and "<unk>" not in text

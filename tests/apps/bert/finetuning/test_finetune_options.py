"""Fine-tuning with class weights, named columns and choices."""

import json

import numpy as np
import pytest

from apps.bert.finetuning.app import FinetuneApp
from apps.bert.finetuning.data import balanced_weights
from apps.bert.finetuning.task_types import TASK_TYPES
from apps.bert.finetuning.texts.evaluator import ClassificationEvaluator
from apps.bert.tasks.examples import (
    ChoiceExample,
    QuestionExample,
    TaggedSentence,
    TextExample,
)
from shared.common import config as configs
from shared.common.errors import UsageError
from shared.common.inputs import Source
from shared.engine.run import Run, load_best, open_run
from shared.engine.training.evaluate import evaluate
from shared.engine.training.train import train
from shared.text.wordpiece_tokenizer import SPECIAL_TOKENS, WordPieceTokenizer
from tests.apps.bert.distillation.runs import write_untrained_run


def write(path, *lines):
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def run_of(data, folder, **more):
    values = {"preset": "test", "data": (str(data),), "epochs": 1, **more}
    app = FinetuneApp()
    train(app, configs.resolve(FinetuneApp.config_class, values), folder)
    return app, open_run(app, folder)


def test_balanced_weights():
    """By scikit-learn's definition: examples / (classes * examples of the class)."""
    weights = balanced_weights(np.array([0, 0, 0, 2]), 3)
    assert weights == pytest.approx([4 / (2 * 3), 1, 4 / (2 * 1)])
    assert balanced_weights(np.array([1, 0]), 2) == (1, 1)


@pytest.mark.parametrize(
    ("task_type", "name", "lines"),
    [
        ("tagging", "train.conll", ["a B-X", "b O", ""] * 4),
        ("regression", "train.tsv", ["text\tscore", "a\t0.5", "b\t1.5", "c\t2"]),
        ("choice", "train.csv", ["sent1,ending0,ending1,label", "a,b,c,0", "b,b,c,1"]),
    ],
)
def test_weights_of_classes_need_classes(tmp_path, task_type, name, lines):
    write(tmp_path / "data" / name, *lines)
    write(tmp_path / "data" / name.replace("train", "dev"), *lines)
    weights = {"head.class_weights": "balanced"}
    with pytest.raises(
        UsageError, match=f"--class-weights balanced: .* for {task_type}; leave it out"
    ):
        run_of(tmp_path / "data", tmp_path / "run", **weights)


def test_a_model_predicts_on_its_training_file(tmp_path):
    """With columns that only the user knows."""
    rows = [f"{number}\tthe text {number}\t{'ab'[number % 2]}" for number in range(12)]
    path = write(tmp_path / "rows.tsv", "id\tclaim\tside", *rows)
    columns = {"task_data.text_column": "claim", "task_data.label_column": "side"}
    app = FinetuneApp()
    folder = write_untrained_run(FinetuneApp(), tmp_path / "run", data=(str(path),), **columns)
    run = open_run(app, folder)
    assets = app.serving(run, load_best(app, run))[""].extra_assets()
    write(tmp_path / "assets.extra" / "task.json", assets["task.json"])
    predictor = app.predictor(tmp_path)
    assert predictor.task["labels"] == ["a", "b"]
    read = [predictor.read(source) for source in predictor.split(Source("rows.tsv", path))]
    assert read == [{"text": f"the text {number}"} for number in range(12)]


def test_choices_of_another_number_are_evaluated(tmp_path):
    rows = [f"a{number},b,c,{number % 2}" for number in range(12)]
    write(tmp_path / "data" / "train.csv", "sent1,ending0,ending1,label", *rows)
    rows = [f"a{number},b,c,d,2" for number in range(5)]
    more = write(tmp_path / "more.csv", "sent1,ending0,ending1,ending2,label", *rows)
    validation = {"task_data.validation": (str(more),)}
    app, run = run_of(tmp_path / "data" / "train.csv", tmp_path / "run", **validation)
    metrics, evaluator = evaluate(app, run, load_best(app, run))
    assert {len(output) for output in evaluator.outputs.values()} == {3}
    chosen = [int(evaluator.outputs[number].argmax()) == 2 for number in range(5)]
    assert metrics["accuracy"] == np.mean(chosen)
    saved = json.loads((run.folder / "metrics.json").read_text())
    assert saved["accuracy"] == metrics["accuracy"]


# === Texts that are longer than a row ===

LETTERS = WordPieceTokenizer([*SPECIAL_TOKENS, *"abcdefgh"], True)


def letters(count):
    return " ".join("abcdefgh"[number % 8] for number in range(count))


@pytest.mark.parametrize(
    ("task_type", "examples", "note"),
    [
        # Of 8 pieces a text has 6, a pair 5 together.
        (
            "classification",
            [TextExample(letters(n), label="x") for n in (6, 7, 40)],
            "2 of 3 validation examples are longer than --max-length 8 word pieces and are cut",
        ),
        (
            "pair",
            [TextExample(letters(n), letters(2), "x") for n in (3, 4)],
            "1 of 2 validation examples are longer than",
        ),
        ("pair", [TextExample(letters(2), letters(3), "x")], ""),
        (
            "choice",
            [ChoiceExample(letters(3), (letters(n), letters(2)), 0) for n in (1, 2, 3)],
            "1 of 3 validation examples are longer than",
        ),
        (
            "tagging",
            [TaggedSentence(tuple(letters(n).split()), ("O",) * n) for n in (6, 7)],
            "1 of 2 validation examples are longer than",
        ),
        # Contexts of any length are read in windows, questions of 2 pieces.
        (
            "question-answering",
            [QuestionExample(str(n), letters(n), letters(50), (("a", 0),)) for n in (2, 3)],
            "1 of 2 validation questions have more than 2 word pieces and are cut",
        ),
    ],
)
def test_texts_that_are_cut_are_counted_over_pieces(task_type, examples, note):
    config = configs.resolve(FinetuneApp.config_class, {"task_data.max_length": 8})
    task = TASK_TYPES[task_type](config, ["O"] if task_type == "tagging" else ["x"])
    found = task.cut_note(task.features(examples, LETTERS), "validation")
    assert found.startswith(note) if note else found == ""


def test_cut_texts_are_said_in_training_evaluation_and_check(tmp_path, capsys):
    rows = [f"{'word ' * (30 if number < 5 else 3)}{number}\t{'ab'[number % 2]}"
            for number in range(12)]  # fmt: skip
    path = write(tmp_path / "rows.tsv", "text\tlabel", *rows)
    more = write(tmp_path / "more.tsv", "text\tlabel", *rows[:7])
    values = {"preset": "test", "data": (str(path),), "task_data.validation": (str(more),)}
    values["task_data.max_length"] = 24
    config = configs.resolve(FinetuneApp.config_class, values)
    app, run = FinetuneApp(), Run(config, tmp_path / "run")
    run.folder.mkdir()
    app.prepare(run)
    said = capsys.readouterr().err
    for count in ("5 of 12 training", "5 of 7 validation"):
        assert f"warning: {count} examples are longer than --max-length 24" in said
    app.replace_validation_data(run, [str(more)])
    assert "warning: 5 of 7 validation examples are longer" in capsys.readouterr().err
    assert "at least 5 of 12 texts are longer than --max-length 24" in " ".join(
        app.check(config)[0]
    )


def test_mistakes_are_shown_with_three_digits(tmp_path):
    evaluator = ClassificationEvaluator([TextExample("a text", label="no")], ["no", "yes"])
    y = {"index": np.array([0])}
    evaluator.update((None, y), np.array([[0.0, 6.3506]], np.float32))
    evaluator.report(tmp_path)
    page = (tmp_path / "samples" / "mistakes.html").read_text()
    assert '<td class="number">0.998</td>' in page and "0.99825" not in page

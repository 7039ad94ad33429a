"""Fine-tuning with class weights, named columns and choices."""

import json

import numpy as np
import pytest

from apps.bert.finetuning.app import FinetuneApp
from apps.bert.finetuning.data import balanced_weights
from shared.common import config as configs
from shared.common.errors import UsageError
from shared.common.inputs import Source
from shared.engine.run import load_best, open_run
from shared.engine.training.evaluate import evaluate
from shared.engine.training.train import train
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

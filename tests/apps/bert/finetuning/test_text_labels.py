"""Texts with several labels: reading, one over-fit to the end, a student, bad data."""

import json

import numpy as np
import pytest

from apps.bert.distillation.app import DistillApp
from apps.bert.finetuning.app import FinetuneApp
from apps.bert.finetuning.check import describe
from apps.bert.finetuning.data import hold_out_for_thresholds
from apps.bert.finetuning.heads import HEADS
from apps.bert.finetuning.texts.predictor import LabelsPredictor
from apps.bert.tasks.examples import TextExample
from apps.bert.tasks.read import find_task, read_files
from shared.common import config as configs
from shared.common.errors import KerasuiteError, UsageError
from shared.engine.run import load_best, open_run
from shared.engine.training.train import train
from shared.text.tables.label_sets import LabelCells
from tests.apps.bert.finetuning.test_finetune_app import call, expect_nothing_of_no_rows

WORDS = {"fun": "happy", "rain": "sad", "news": "calm"}


def write(path, *lines):
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def rows():
    """Texts with a word for each of their labels, and texts with none."""
    for number in range(64):
        chosen = [word for bit, word in enumerate(WORDS) if number >> bit & 1]
        yield f"day {number // 8} has {' '.join(chosen)} .", [WORDS[word] for word in chosen]


def write_labels(folder, separator=","):
    lines = [f"{text}\t{separator.join(labels)}" for text, labels in rows()]
    return write(folder / "train.tsv", "text\tlabels", *lines)


def labels_of(found):
    return [example.label for example in found.examples]


# === Reading ===


def test_cells_and_columns_are_recognised_and_said(tmp_path):
    cells = ("text\tlabels", "a\tgood", "b\tfunny,good", "c\tfunny", "d\t")
    found = read_files([write(tmp_path / "a.tsv", *cells)])
    assert (found.task_type, found.separator) == ("multilabel", ",")
    assert labels_of(found) == [("good",), ("funny", "good"), ("funny",), ()]
    assert "recognised by the ','" in found.notes[0] and "1 rows have no label" in found.notes[1]
    columns = ("id,text,good,funny", "7,a,1,0", "8,b,1,1", "9,c,0,0")
    found = read_files([write(tmp_path / "b.csv", *columns)])
    assert found.task_type == "multilabel"
    assert labels_of(found) == [("good",), ("good", "funny"), ()]
    assert "2 columns of 0 and 1: good, funny" in found.notes[0]
    lists = ('{"text": "a", "labels": ["x", "y"]}', '{"text": "b", "labels": []}')
    assert labels_of(read_files([write(tmp_path / "c.jsonl", *lists)])) == [("x", "y"), ()]


def test_one_label_stays_one(tmp_path):
    cells = ("text\tlabel", "a\tParis, France", "b\tOslo, Norway", "c\tParis, France")
    found = read_files([write(tmp_path / "a.tsv", *cells)])
    assert found.task_type == "classification" and "--kind multilabel" in found.notes[-1]
    single = LabelCells("single")
    funny = write(tmp_path / "b.tsv", "text\tlabel", "a\tgood", "b\tfunny,good", "c\tfunny")
    assert labels_of(read_files([funny], label_cells=single)) == ["good", "funny,good", "funny"]
    numbers = write(tmp_path / "c.tsv", "text\tlabel", "a\t3,5", "b\t3", "c\t5")
    assert read_files([numbers]).task_type == "regression"


def test_validation_is_read_as_training_was(tmp_path):
    train_file = write_labels(tmp_path)
    dev = write(tmp_path / "dev.tsv", "text\tlabels", "a\thappy", "b\tsad")
    found = find_task([train_file], [dev])
    assert found.task_type == "multilabel" and labels_of(found.validation) == [("happy",), ("sad",)]
    # Two training files, one of which has no text with several labels.
    assert read_files([dev, train_file]).task_type == "multilabel"


def test_bad_labels_are_a_line(tmp_path):
    none = write(tmp_path / "a.csv", "text,p,q", "a,7,8")
    with pytest.raises(KerasuiteError, match="no labels in it for --kind multilabel"):
        read_files([none], label_cells=LabelCells("multilabel"))


def test_same_texts_stay_together_and_rare_labels_are_learnt():
    examples = [TextExample(f"t{n % 30}", label=("a",) if n % 2 else ("a", "b")) for n in range(60)]
    examples.append(TextExample("once", label=("rare",)))
    train_part, held_out = hold_out_for_thresholds(examples, ["a", "b", "rare"], 0.2, 0)
    assert len(train_part) + len(held_out) == 61 and 10 <= len(held_out) <= 14
    assert not {e.text for e in train_part} & {e.text for e in held_out}
    assert any(e.label == ("rare",) for e in train_part)
    with pytest.raises(KerasuiteError, match="too few to choose thresholds"):
        hold_out_for_thresholds(examples[:1], ["a", "b"], 0.1, 0)


# === Model ===


def test_the_loss_of_the_head_equals_its_definition():
    generator = np.random.default_rng(0)
    labels = (generator.random((4, 3)) < 0.5).astype("float32")
    logits, teacher = generator.normal(0, 2, (2, 4, 3)).astype("float32")
    p, t = 1 / (1 + np.exp(-logits)), 1 / (1 + np.exp(-teacher))
    head = HEADS["multilabel"](3, class_weights=(1.0, 2.0, 3.0))
    expected = -(np.array([1, 2, 3]) * labels * np.log(p) + (1 - labels) * np.log(1 - p)).mean()
    assert float(head.loss(labels, logits)) == pytest.approx(expected, rel=1e-5)
    soft = -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean()
    found = head.distillation_loss(labels, logits, teacher, 1.0)
    assert float(found) == pytest.approx(soft, rel=1e-5)
    assert head.item_counts(labels).shape == (4,)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(data, run folder) of texts learnt by heart."""
    folder = tmp_path_factory.mktemp("several")
    data = write_labels(folder)
    data.with_name("dev.tsv").write_text(data.read_text())
    values = {
        "preset": "test", "data": (str(folder),), "epochs": 60, "validate_every": 60,
        "learning_rate": 1e-2, "task_data.threshold_split": 0.25, "head.pooling": "mean",
    }  # fmt: skip
    train(FinetuneApp(), configs.resolve(FinetuneApp.config_class, values), folder / "run")
    return data, folder / "run"


def test_words_are_learnt_by_heart(trained):
    """The golden over-fit: every text gets its labels, also when served; some have none."""
    _, folder = trained
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["f1_macro"] == metrics["f1_micro"] == metrics["exact_match"] == 1.0
    assert metrics["score"] == metrics["mean_average_precision"] == 1.0
    for name in ("plots/labels.png", "samples/labels.html", "samples/mistakes.html"):
        assert (folder / name).is_file(), name
    app = FinetuneApp()
    run = open_run(app, folder)
    assert run.artifacts["threshold_examples"] >= 8
    thresholds = json.loads((folder / "thresholds.json").read_text())
    assert app.task_type.thresholds == [thresholds[name] for name in app.task_type.labels]
    serving = app.serving(run, load_best(app, run))[""]
    expect_nothing_of_no_rows(serving)
    texts, label_sets = zip(*rows(), strict=True)
    answer = call(serving, text=list(texts))
    names = app.task_type.labels
    assert names == sorted(WORDS.values())
    for labels, found in zip(label_sets, answer["present"].numpy(), strict=True):
        assert [name for name, some in zip(names, found, strict=True) if some] == sorted(labels)
    predictor = app_predictor(serving)
    row = {name: value.numpy()[3] for name, value in answer.items()}
    record = predictor.record(None, row)
    assert sorted(record["labels"]) == sorted(label_sets[3]) and not record["truncated"]
    assert record["scores"] == [record["probabilities"][name] for name in record["labels"]]
    assert predictor.csv_row(record)["labels"] == ";".join(record["labels"])
    assert json.loads(serving.extra_assets()["thresholds.json"]) == thresholds


def app_predictor(serving):
    return LabelsPredictor(serving.task())


@pytest.mark.slow
def test_a_student_learns_the_labels_of_its_teacher(trained, tmp_path):
    data, teacher = trained
    values = {
        "preset": "test", "data": (str(data),), "transfer.teacher": str(teacher), "epochs": 2,
        "transfer.temperature": 2.0, "transfer.cache_teacher": True,
    }  # fmt: skip
    train(DistillApp(), configs.resolve(DistillApp.config_class, values), tmp_path / "run")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert 0 < metrics["score"] <= 1 and (tmp_path / "run" / "thresholds.json").is_file()


def test_other_data_are_read_as_the_training_data(trained, tmp_path):
    data, folder = trained
    app = FinetuneApp()
    run = open_run(app, folder)
    app.replace_validation_data(run, [str(write(tmp_path / "a.tsv", "text\tlabels", "x\tsad"))])
    assert app.validation_data(run)[0][0].label == ("sad",)
    with pytest.raises(KerasuiteError, match="label 'odd' is not one of the training data's"):
        app.replace_validation_data(
            run, [str(write(tmp_path / "b.tsv", "text\tlabels", "x\tsad,odd"))]
        )


def test_check_says_what_was_decided(tmp_path):
    config = configs.resolve(FinetuneApp.config_class, {"data": (str(write_labels(tmp_path)),)})
    contents, _ = describe(config)
    said = "\n".join(contents)
    assert "task type: multilabel" in said and "recognised by the ','" in said
    assert "of 57 examples have several" in said or "of 58 examples have several" in said


def test_thresholds_and_weights_are_refused_without_labels(tmp_path):
    data = write(tmp_path / "a.tsv", "text\tlabel", *(f"t {n}\t{n % 2}" for n in range(20)))
    values = {"preset": "test", "data": (str(data),), "task_data.threshold_split": 0.2}
    with pytest.raises(UsageError, match="--threshold-split 0.2: chooses the thresholds"):
        train(FinetuneApp(), configs.resolve(FinetuneApp.config_class, values), tmp_path / "run")

"""Images with several labels: tables, splits, loss, one over-fit to the end, predictions."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from apps.vision.classification import files
from apps.vision.classification.app import ClassifyApp
from apps.vision.classification.classifier import build_classifier
from apps.vision.classification.config import ClassifyConfig
from apps.vision.classification.label_tables import found_kind
from apps.vision.classification.predictor import LabelsPredictor
from shared.common import config as configs
from shared.common.errors import KerasuiteError, UsageError
from shared.engine.run import load_best, open_run
from shared.engine.training import train as training
from tests.in_process import run_command

COLOURS = ("red", "green", "blue")


def write_colours(folder: Path, count: int, name: str = "data.csv") -> Path:
    """Pictures with a bright channel for each of their labels, and black ones."""
    generator = np.random.default_rng(5)
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["path,label"]
    for index in range(count):
        labels = [colour for bit, colour in enumerate(COLOURS) if index >> bit & 1]
        pixels = generator.integers(0, 60, (16, 16, 3))
        for colour in labels:
            pixels[..., COLOURS.index(colour)] += 180
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{index:02}.png")
        lines.append(f"{index:02}.png,{';'.join(labels)}")
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder / name


def table(path: Path, *lines: str) -> list[str]:
    path.write_text("\n".join(lines) + "\n")
    return [str(path)]


# === Data ===


def test_kinds_are_recognised_and_said(tmp_path):
    several = table(tmp_path / "a.csv", "path,label", "1.png,cat;dog", "2.png,cat", "3.png,dog")
    kind, (note,) = found_kind(several)
    assert kind == "multilabel" and "';' between labels that also stand alone" in note
    one = table(tmp_path / "b.csv", "path,label", "1.png,cat;dog", "2.png,bird")
    kind, (note,) = found_kind(one)
    assert kind == "single" and "1 labels have a ';'" in note and "--kind multilabel" in note
    assert found_kind(table(tmp_path / "c.csv", "path,label", "1.png,cat")) == ("single", [])
    assert found_kind(one, "multilabel")[0] == "multilabel"
    columns = table(tmp_path / "d.tsv", "path\tcat\tdog\tid", "1.png\t1\t0\t7", "2.png\t0\t0\t8")
    kind, (note,) = found_kind(columns)
    assert kind == "multilabel" and "2 columns of 0 and 1" in note
    assert found_kind([str(tmp_path)]) == ("single", [])


def test_labels_of_each_table(tmp_path):
    several = table(tmp_path / "a.csv", "path,labels,split", "1.png,dog; cat,train", "2.png,,val")
    found = files.find_files(several, "multilabel")
    assert [(f.label, f.split) for f in found] == [("cat;dog", "train"), ("", "validation")]
    assert files.labels_of(found[0], "multilabel") == ("cat", "dog")
    assert files.labels_of(found[1], "multilabel") == ()
    columns = table(tmp_path / "b.tsv", "path\tcat\tdog", "1.png\t1\t1", "2.png\t0\t0")
    assert [f.label for f in files.find_files(columns, "multilabel")] == ["cat;dog", ""]
    with pytest.raises(KerasuiteError, match="columns of 0 and 1 and no column 'label'"):
        files.find_files(columns, "single")
    with pytest.raises(KerasuiteError, match="line 2: needs both a path and a label"):
        files.find_files(table(tmp_path / "c.csv", "path,label", "1.png,"), "single")


def test_labels_of_several_rows_and_folders_are_put_together(tmp_path):
    for folder in ("cat", "dog"):
        (tmp_path / folder).mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "cat" / "1.png")
    (tmp_path / "dog" / "1.png").symlink_to(tmp_path / "cat" / "1.png")
    (found,) = files.find_files([str(tmp_path)], "multilabel")
    assert found.label == "cat;dog"


def test_each_label_is_in_all_parts(tmp_path):
    found = [files.LabelledFile(f"{n}.png", "a;b" if n % 4 else "c") for n in range(80)]
    split = files.split_label_sets(found, 0.1, 0, 1, 0.1)
    for part, count in (("validation", 8), ("thresholds", 7), ("train", 65)):
        chosen = [file for file in split if file.split == part]
        assert len(chosen) == count and {file.label for file in chosen} == {"a;b", "c"}
    assert split != files.split_label_sets(found, 0.1, 1, 1, 0.1)
    own = [
        files.LabelledFile("1", "a", split="train"),
        files.LabelledFile("2", "a;z", split="validation"),
    ]
    with pytest.raises(KerasuiteError, match="class 'z' is in the validation data"):
        files.split_label_sets(own, 0.1, 0, 1, 0.1)
    with pytest.raises(KerasuiteError, match="too few for a part to train on"):
        files.split_label_sets(found[:2], 0.5, 0, 1, 0.1)
    with pytest.raises(KerasuiteError, match="no image has a label"):
        files.split_label_sets([files.LabelledFile("1", "")], 0.5, 0, 1, 0.1)


# === Model ===


def settings(**overrides) -> ClassifyConfig:
    given = {"preset": "test", "data_options.kind": "multilabel", **overrides}
    return configs.resolve(ClassifyConfig, given)


def test_loss_and_mirrored_average_equal_their_definitions(tmp_path):
    generator = np.random.default_rng(0)
    config = settings(**{"loss.label_smoothing": 0.2, "model.flip_average": True})
    model = build_classifier(config, 3, class_weights=[1.0, 2.0, 3.0])
    model.save(tmp_path / "model.keras")
    model = keras.models.load_model(tmp_path / "model.keras", compile=False)
    targets = np.array([[1, 0, 0.5], [0, 0, 0]], np.float32)  # A half of a mixed image.
    logits = generator.normal(0, 2, (2, 3)).astype("float32")
    p, weights = 1 / (1 + np.exp(-logits)), np.array([1.0, 2.0, 3.0])
    for smooth, y in ((True, targets * 0.8 + 0.1), (False, targets)):
        found = model.compute_loss(None, targets, logits, training=smooth)
        expected = -(weights * y * np.log(p) + (1 - y) * np.log(1 - p)).mean()
        assert float(found["cross_entropy"]) == pytest.approx(expected, rel=1e-4)
    images = generator.uniform(0, 255, (2, 16, 16, 3)).astype("float32")
    whole = tf.sigmoid(model(images)).numpy()
    model.flip_average = False
    halves = [tf.sigmoid(model(side)).numpy() for side in (images, images[:, :, ::-1])]
    np.testing.assert_allclose(whole, np.mean(halves, axis=0), atol=1e-5)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(table, run) of colours learnt by heart."""
    folder = tmp_path_factory.mktemp("colours")
    data = write_colours(folder / "data", 48)
    config = configs.resolve(
        ClassifyConfig,
        {
            "preset": "test", "data": (str(data),), "epochs": 14, "validate_every": 14,
            "learning_rate": 5e-3,
            "augment.crop": "none", "data_options.validation_split": 0.25,
            "data_options.threshold_split": 0.3, "loss.class_weights": "balanced",
        },
    )  # fmt: skip
    return data, training.train(ClassifyApp(), config, folder / "run")


def test_colours_are_learnt_by_heart(trained):
    """The golden over-fit: every picture gets its labels, also when served; black ones none."""
    data, run = trained
    metrics = json.loads((run.folder / "metrics.json").read_text())
    assert metrics["mean_average_precision"] == metrics["f1_macro"] == metrics["f1_micro"] == 1.0
    assert set(metrics["per_class"]) == set(COLOURS)
    for name in ("plots/labels.png", "samples/labels.html", "samples/mistakes.html"):
        assert (run.folder / name).is_file(), name
    thresholds = json.loads((run.folder / "thresholds.json").read_text())
    app = ClassifyApp()
    opened = open_run(app, run.folder)
    assert opened.config.is_multilabel and opened.artifacts["threshold_images"] > 4
    assert app.thresholds == [thresholds[name] for name in sorted(COLOURS)]
    serving = app.serving(opened, load_best(app, opened))[""]
    rows = [line.split(",") for line in data.read_text().splitlines()[1:]]
    answer = serving.classify(tf.constant([(data.parent / path).read_bytes() for path, _ in rows]))
    for (_, labels), found in zip(rows, answer["present"].numpy(), strict=True):
        named = [name for name, some in zip(sorted(COLOURS), found, strict=True) if some]
        assert named == sorted(filter(None, labels.split(";")))
    none = tf.function(serving.classify)(tf.constant([], tf.string))
    assert none["present"].shape == (0, 3) and none["present"].dtype == tf.bool
    assert "--kind" not in (run.folder / "README.md").read_text()


def test_rows_of_predictions():
    """The labels that are present, the likeliest first, and all probabilities; a;b in CSV."""
    predictor = LabelsPredictor(["a", "b", "c"], 10**6)
    outputs = {"probabilities": np.array([0.4, 0.7, 0.3]), "present": np.array([1, 1, 0], bool)}
    row = predictor.record(None, outputs)
    assert row == {
        "labels": ["b", "a"],
        "scores": [0.7, 0.4],
        "probabilities": {"a": 0.4, "b": 0.7, "c": 0.3},
    }
    assert predictor.csv_row(row) == row | {"labels": "b;a", "scores": "0.7;0.4"}
    assert predictor.csv_row({"error": "empty"}) == {"error": "empty"}


@pytest.mark.slow
def test_exported_it_labels_pictures(trained, tmp_path):
    """JSON lines and CSV, through the command line; the CSV can be trained on again."""
    data, run = trained
    root = tmp_path / "models"
    done = run_command("classify", "export", run.folder, "--output", root)
    assert done.returncode == 0, done.stderr
    model = min(root.glob("*/*/1"))
    assert json.loads((model / "assets.extra" / "thresholds.json").read_text()).keys() == {*COLOURS}
    output = tmp_path / "out"
    done = run_command(
        "classify", "predict", model, data.parent, "--output", output, "--limit", 8,
        "--format", "csv",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (output / "predictions.jsonl").read_text().splitlines()]
    assert rows[0]["labels"] == [] and set(rows[7]["labels"]) == set(COLOURS)
    assert rows[7]["scores"] == [rows[7]["probabilities"][name] for name in rows[7]["labels"]]
    assert rows[7]["scores"] == sorted(rows[7]["scores"], reverse=True)
    lines = (output / "predictions.csv").read_text().splitlines()
    assert set(lines[8].split(",")[1].split(";")) == set(COLOURS)


def test_other_data_are_evaluated_and_unknown_labels_named(trained, tmp_path):
    data, run = trained
    done = run_command("classify", "evaluate", run.folder, data)
    assert done.returncode == 0, done.stderr
    bad = data.with_name("bad.csv")
    bad.write_text("path,label\n01.png,red;pink\n")
    done = run_command("classify", "evaluate", run.folder, bad)
    assert done.returncode == 1 and "class 'pink' is not one of the model's" in done.stderr


def test_check_and_training_say_what_was_decided(tmp_path):
    data = write_colours(tmp_path / "data", 16)
    done = run_command("classify", "check", data)
    out = " ".join((done.stdout + done.stderr).split())
    assert "several an image, recognised by" in out and "3 labels" in out
    assert "1.50 labels in the mean; 8 of 16 images have several, 2 have none" in out


def test_options_of_thresholds_need_several_labels(tmp_path):
    for label in ("a", "b"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for index in range(3):
            Image.new("RGB", (16, 16)).save(tmp_path / "data" / label / f"{index}.png")
    given = {"preset": "test", "data": (str(tmp_path / "data"),)}
    config = configs.resolve(ClassifyConfig, given | {"data_options.threshold_split": 0.2})
    with pytest.raises(UsageError, match="--threshold-split 0.2: chooses the thresholds"):
        training.train(ClassifyApp(), config, tmp_path / "run")

"""The application from the command line: options, bad data, learning, evaluation on other data."""

import json

import numpy as np
import pytest
import yaml
from PIL import Image

from apps.vision.detection.app import DetectApp
from apps.vision.detection.detectors.ssd.default_boxes import paper_shapes
from shared.common import config as configs
from shared.common.errors import KerasuiteError
from shared.engine.run import load_best, open_run
from tests.in_process import run_command

COLOURS = {"red": (230, 30, 30), "green": (30, 200, 30)}


def write_squares(folder, count, names=("red", "green"), seed=0):
    """Images of 64 pixels with two coloured squares each, in YOLO's format."""
    generator = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    for index in range(count):
        pixels = generator.integers(0, 60, (64, 64, 3), dtype=np.uint8)
        rows = []
        for label, left in enumerate((0, 32)):
            side = int(generator.integers(16, 28))
            x = left + int(generator.integers(0, 32 - side))
            y = int(generator.integers(0, 64 - side))
            pixels[y : y + side, x : x + side] = COLOURS[("red", "green")[label]]
            centre = ((x + side / 2) / 64, (y + side / 2) / 64)
            rows.append(f"{label} {centre[0]} {centre[1]} {side / 64} {side / 64}")
        Image.fromarray(pixels).save(folder / "images" / f"{index:02}.png")
        (folder / "labels" / f"{index:02}.txt").write_text("\n".join(rows) + "\n")
    lines = "".join(f"  {number}: {name}\n" for number, name in enumerate(names))
    (folder / "data.yaml").write_text(f"path: .\ntrain: images\nnames:\n{lines}")
    return folder


def add_faults(data):
    """Rows and files that cannot be used, and images without boxes."""
    labels, images = data / "labels", data / "images"
    good = (labels / "00.txt").read_text()
    (labels / "00.txt").write_text("0 0.5 0.5 0.2\n" + good)
    for name in ("90", "91"):  # of 91, background, there is no label file
        Image.new("RGB", (64, 64), "grey").save(images / f"{name}.png")
    (labels / "90.txt").write_text("0 nan 0.5 0.2 0.2\n0 0.5 0.5 -1 0.2\n7 0.5 0.5 0.2 0.2\n")
    (images / "92.png").write_bytes(b"no image")
    Image.new("RGB", (1, 1)).save(images / "one.png")
    (labels / "99.txt").write_text("0 0.5 0.5 0.2 0.2\n")


OPTIONS = {
    "epochs": 40,
    "validate_every": 40,
    "learning_rate": 8e-3,
    "optimization": {"ema": 0.0},
    "data_options": {"validation_split": 0.5},
    "augment": {"mosaic": 0.0, "scale": 0.1, "horizontal_flip": 0.0},
}


@pytest.fixture(scope="module")
def learnt(tmp_path_factory):
    """(data, run folder, standard error) of a training on data with faults."""
    folder = tmp_path_factory.mktemp("detect")
    data = write_squares(folder / "data", 24)
    add_faults(data)
    (folder / "options.yaml").write_text(yaml.safe_dump(OPTIONS))
    options = ("--preset", "test", "--config", folder / "options.yaml")
    done = run_command("detect", "train", data, "--output", folder / "run", *options)
    assert done.returncode == 0, done.stderr
    return data, folder / "run", done.stderr


def test_boxes_of_unseen_images_are_found(learnt):
    """Golden: half of the images to learn from, half to find the squares in."""
    metrics = json.loads((learnt[1] / "metrics.json").read_text())
    assert metrics["map50"] > 0.9
    assert metrics["map"] > 0.6


@pytest.mark.slow
def test_ssd_with_fitted_anchors_finds_boxes_of_unseen_images(tmp_path):
    """Golden, as above: the fitted sides come back in an evaluation and an export of the run."""
    data = write_squares(tmp_path / "data", 24)
    (tmp_path / "options.yaml").write_text(yaml.safe_dump(OPTIONS))
    done = run_command(
        "detect", "train", data, "--output", tmp_path / "run", "--preset", "test",
        "--config", tmp_path / "options.yaml", "--architecture", "ssd", "--fit-anchors",
        "--image-size", "128", "--epochs", "100", "--validate-every", "100",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "--fit-anchors: default boxes overlap " in done.stdout
    before = (tmp_path / "run" / "metrics.json").read_bytes()
    metrics = json.loads(before)
    assert metrics["map50"] > 0.9
    assert metrics["map"] > 0.6
    app = DetectApp()
    model = load_best(app, open_run(app, tmp_path / "run"))
    assert tuple(model.shapes[2][0]) != paper_shapes()[2][0]
    assert run_command("detect", "evaluate", tmp_path / "run").returncode == 0
    assert (tmp_path / "run" / "metrics.json").read_bytes() == before
    # A detector of another architecture may start from it.
    started = run_command(
        "detect", "train", data, "--output", tmp_path / "yolo", "--preset", "test",
        "--epochs", "1", "--init", tmp_path / "run",
    )  # fmt: skip
    assert started.returncode == 0, started.stderr
    assert "nothing in it fits" in started.stderr


def test_evaluation_on_other_data(learnt, tmp_path):
    other = write_squares(tmp_path / "other", 6, names=("green", "red"), seed=5)
    # The classes stand in another order there; the names count.
    for path in (other / "labels").iterdir():
        rows = [line.split(" ", 1) for line in path.read_text().splitlines()]
        path.write_text("".join(f"{1 - int(label)} {rest}\n" for label, rest in rows))
    done = run_command("detect", "evaluate", learnt[1], other)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((learnt[1] / "evaluation" / "metrics.json").read_text())
    assert metrics["map50"] > 0.9


def test_a_class_that_the_model_has_not_is_refused(learnt, tmp_path):
    other = write_squares(tmp_path / "other", 2, names=("red", "blue"))
    app = DetectApp()
    run = open_run(app, learnt[1])
    with pytest.raises(KerasuiteError, match="class 'blue' of the data is not one of the model's"):
        app.replace_validation_data(run, [str(other)])


def test_a_backbone_may_be_frozen(learnt):
    app = DetectApp()
    run = open_run(app, learnt[1])
    model = load_best(app, run)
    config = configs.set_value
    values = configs.to_dict(run.config)
    values.pop("task")
    config(values, "model.freeze_epochs", 2)
    run.config = configs.from_dict(DetectApp.config_class, values, "test")
    everything = len(model.trainable_variables)
    app.begin_epoch(run, model, 0)
    frozen = len(model.trainable_variables)
    app.begin_epoch(run, model, 2)
    assert 0 < frozen < everything == len(model.trainable_variables)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--image-size", "100"), "multiple"),
        (("--backbone", "resnet999"), "resnet999"),
        (("--weights", "imagenet"), "--weights imagenet"),
        (("--annotations", "voc"), "no VOC annotations"),
        (("--architecture", "ssd", "--top-k", "5"), "--top-k: is not used with --architecture ssd"),
    ],
)
def test_options_that_cannot_be(learnt, tmp_path, options, message):
    done = run_command(
        "detect", "train", learnt[0], "--preset", "test", "--output", tmp_path / "run", *options
    )
    assert done.returncode == 1, done.stderr
    assert message in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_data_with_faults_train_all_the_same(learnt, tmp_path):
    """Faulty rows and files are listed by file and row; the rest is used."""
    data, run, errors = learnt
    assert "problems.txt" in errors
    problems = (run / "problems.txt").read_text()
    for where in ("00.txt, line 1", "90.txt, line 1", "90.txt, line 2", "90.txt, line 3", "92.png"):
        assert where in problems, where
    assert "99.txt" in problems
    checked = run_command("detect", "check", data, "--output", tmp_path / "drawn")
    assert checked.returncode == 3, checked.stderr
    assert "00.txt, line 1" in checked.stdout
    assert list((tmp_path / "drawn").glob("sample-*.jpg"))
    assert "at 640 pixels, boxes in reach of ssd: " in checked.stdout


def test_conversion_from_the_command_line(tmp_path):
    data, target = write_squares(tmp_path / "data", 8), tmp_path / "coco"
    arguments = ("detect", "convert", data, "--output", target, "--format", "coco")
    done = run_command(*arguments)
    assert done.returncode == 0, done.stderr
    again = run_command(*arguments)
    assert again.returncode == 1
    assert "is not empty" in again.stderr
    checked = run_command("detect", "check", target)
    assert checked.returncode == 0, checked.stderr
    assert "16 boxes" in checked.stdout

"""Classifiers and detectors in other formats: the same records as from their SavedModels."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from apps.vision.classification.app import ClassifyApp
from apps.vision.detection.app import DetectApp
from shared.common import config as configs
from shared.common.errors import KerasuiteError
from shared.common.inputs import find_inputs
from shared.engine.network_export import export_network as exports
from shared.engine.network_export.export_network import export_network
from shared.engine.network_export.formats import format_of
from shared.engine.network_export.open_model import loader
from shared.engine.prediction.predict import predict
from shared.engine.run import Run
from shared.engine.saved_model import network_serving
from shared.engine.saved_model.export import export
from shared.engine.saved_model.loaded_model import fingerprint
from shared.engine.saved_model.run_export import saved_model_for
from shared.image.image_file import IMAGES, write_images
from tests.in_process import run_command
from tests.shared.engine.network_export.records import assert_close, records, require
from tests.shared.engine.saved_model.folding import with_random_statistics

NAMES = ["cat", "dog/é", "bird"]
# Few detections: of many, some pairs have scores so near that rounding chooses their order.
YOLO = {
    "model.image_size": 64,
    "detection.confidence": 0.3,
    "detection.max_detections": 15,
}
SSD = YOLO | {"model.architecture": "ssd", "detection.confidence": 0.1}
CALLS = {
    "onnx": "onnxruntime.InferenceSession",
    "keras": "keras.saving.load_model",
    "litert": "get_signature_runner",
}
CASES = {
    "classify": (ClassifyApp, {"model.backbone": "resnet18", "model.flip_average": True}),
    "yolo": (DetectApp, YOLO),
    "ssd": (DetectApp, SSD | {"ssd.matching_iou": 0.4}),
    "labels": (ClassifyApp, {"data_options.kind": "multilabel"}),
    "half": (ClassifyApp, {"precision": "mixed_bfloat16"}),
}


def untrained(app, folder: Path, overrides) -> tuple[Run, keras.Model]:
    """A run and its model, with statistics and scores as after a training."""
    keras.utils.set_random_seed(0)
    values = {"preset": "test", "data": ("x",)} | overrides
    kind = overrides.get("data_options.kind", "single")
    artifacts = {"class_names": NAMES, "kind": kind}
    run = Run(configs.resolve(app.config_class, values), folder, artifacts)
    folder.mkdir(parents=True)
    app.images, app.thresholds = [], [0.5] * len(NAMES)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(run.config.precision)
    try:
        model = with_random_statistics(app.build(run))
    finally:
        keras.config.set_dtype_policy(policy)
    configs.save(run.config, folder / "config.yaml")
    run.save_artifacts()
    write_images([], folder / IMAGES)
    model.save(folder / "model.keras")
    return run, model


def predicted(app, model: Path, inputs: Path, output: Path) -> list[dict]:
    predictor = app.predictor(model)
    sources = find_inputs([str(inputs)], predictor.suffixes)
    summary = predict(
        model, sources, predictor, output, batch_size=3, load=loader(app, model), progress=False
    )
    assert (summary.done, summary.rejected) == (6, 1)
    return records(output)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """Six pictures of unequal sizes, formats and directions; one damaged file."""
    folder, generator = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    exif = Image.Exif()
    exif[0x0112] = 6
    for index, kind in enumerate(("JPEG", "PNG", "BMP", "GIF", "WEBP", "JPEG")):
        coarse = generator.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        size = generator.integers(30, 120, 2).tolist()
        picture = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
        options = {"exif": exif} if index == 5 else {}
        picture.save(folder / f"{index}.{kind.lower()}", kind, **options)
    (folder / "damaged.jpg").write_bytes((folder / "0.jpeg").read_bytes()[:200])
    return folder


def slow(*values: str):
    return pytest.param(values, marks=pytest.mark.slow)


@pytest.fixture(
    scope="module",
    params=[
        ("classify", "onnx"),
        ("yolo", "onnx"),
        slow("ssd", "onnx"),
        slow("half", "onnx"),
        slow("labels", "onnx"),
        slow("classify", "keras"),
        slow("yolo", "keras"),
        slow("ssd", "keras"),
        ("classify", "litert"),
        slow("yolo", "litert"),
        slow("ssd", "litert"),
    ],
    ids="-".join,
)
def both(request, tmp_path_factory):
    """(app, SavedModel, network file) of one model."""
    case, format = request.param
    require(format)
    folder = tmp_path_factory.mktemp(f"{case}-{format}")
    app_type, overrides = CASES[case]
    app = app_type()
    run, model = untrained(app, folder / "run", overrides)
    file = export_network(app, run, model, folder / "exports" / format, format=format)[""]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.engine.saved_model.export.verify", lambda jobs: None)
        saved_model = export(app, run, model, folder / "saved_models")[""]
    return app, saved_model, file


def test_predictions_are_those_of_the_savedmodel(both, pictures, tmp_path):
    app, saved_model, file = both
    ours = predicted(app, saved_model, pictures, tmp_path / "tensorflow")
    theirs = predicted(app, file, pictures, tmp_path / "network")
    if app.name == "detect":
        boxes = boxes_of(ours)
        assert len(boxes) > 20
        np.testing.assert_allclose(boxes_of(theirs), boxes, atol=0.011)
    assert_close(ours, theirs, tolerance=0.1 if "half" in str(file) else 1e-3)


def boxes_of(rows) -> np.ndarray:
    """Takes the boxes out of records: they are rounded to hundredths of a pixel."""
    return np.array([each.pop("box") for row in rows for each in row["detections"]])


def test_layout_and_sidecar(both):
    app, _, file = both
    format = format_of(file)
    assert file.parts[-6:-1] == ("exports", format.name, app.name, "run", "1")
    facts = json.loads((file.parent / "model.json").read_text())
    further = {"thresholds.json"} if "thresholds" in facts else set()
    assert {path.name for path in file.parent.iterdir()} == {
        format.file_name, "model.json", "config.yaml", "README.md", "labels.txt", *further,
    }  # fmt: skip
    side = facts["image"]["size"]
    assert facts["format"] == format.name and facts["task"] == app.name
    assert facts["input"]["shape"] == [None, side, side, 3] and facts["labels"] == NAMES
    if app.name == "detect":
        assert facts["values"]["max_detections"] == 15
        assert set(facts["outputs"]) > {"class_logits"} and facts["decoding"]["iou"] > 0
    card = (file.parent / "README.md").read_text()
    assert CALLS[format.name] in card and "saved_model_cli" not in card
    if format.name == "litert":
        from ai_edge_litert.interpreter import Interpreter

        # By the name that the card gives it.
        details = Interpreter(str(file)).get_signature_runner().get_input_details()
        assert list(details) == ["image"] and "network(image=image)" in card
    # A Keras file loads without code of ours.
    assert facts["modules"] == []


@pytest.mark.parametrize("both", [("classify", "onnx")], indirect=True, ids="-".join)
def test_a_folder_stands_for_its_newest_version(both, tmp_path):
    app, saved_model, file = both
    for path in (file, file.parent, file.parents[1]):
        assert saved_model_for(app, path) == file
    assert fingerprint(file) != fingerprint(saved_model)
    moved = shutil.copytree(file.parent, tmp_path / "7")
    assert fingerprint(moved / "model.onnx") == fingerprint(file)
    alone = shutil.copy(file, tmp_path)
    with pytest.raises(KerasuiteError, match="model.onnx: is no model that kerasuite exported"):
        saved_model_for(app, alone)
    with pytest.raises(KerasuiteError, match="is a model of the task 'classify', not 'detect'"):
        saved_model_for(DetectApp(), file)


@pytest.mark.parametrize("both", [("classify", "onnx")], indirect=True, ids="-".join)
def test_from_the_command_line(both, pictures, tmp_path):
    run = both[2].parents[5] / "run"
    arguments = ("classify", "export", run, "--format", "onnx", "--output", tmp_path, "--name", "n")
    done = run_command(*arguments)
    assert done.returncode == 0, done.stderr
    file = tmp_path / "classify" / "n" / "1" / "model.onnx"
    assert str(file).replace(" ", "") in "".join(done.stdout.split())
    done = run_command("classify", "predict", file, pictures, "--output", tmp_path / "out")
    assert done.returncode == 3, done.stderr
    assert len(records(tmp_path / "out")) == 6
    # The same model again, but not another one.
    again = ("classify", "predict", both[1], pictures, "--output", tmp_path / "out", "--resume")
    done = run_command(*again)
    assert done.returncode == 1 and "the model is another one" in done.stderr


@pytest.mark.parametrize("fault", ["answers", "converter"])
def test_what_is_wrong_is_discarded(tmp_path, monkeypatch, fault):
    require("onnx")
    app = ClassifyApp()
    run, model = untrained(app, tmp_path / "run", {})
    fold = network_serving.fold_batch_norm

    def wrong(model, dtype):
        folded = fold(model, dtype)
        folded.layers[-1].bias.assign(folded.layers[-1].bias + 0.5)
        return folded

    def fails(self, *arguments):
        raise ValueError("no such operation\nin the table")

    if fault == "answers":
        monkeypatch.setattr(network_serving, "fold_batch_norm", wrong)
        message = "it does not answer as the model does: image .* differs by 0.5"
    else:
        monkeypatch.setattr(exports.FORMATS["onnx"], "write", fails)
        message = "--format onnx: the network cannot be converted .no such operation.; export it"
    with pytest.raises(KerasuiteError, match=message):
        export_network(app, run, model, tmp_path / "exports", format="onnx")
    assert not (tmp_path / "exports").exists()

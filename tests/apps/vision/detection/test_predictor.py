"""Batch inference of detection: lines, COCO results, YOLO text, pictures, crops and tiles."""

import csv
import functools
import io
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from apps.vision.detection import predictor as predictors
from apps.vision.detection.annotations.yolo import read_yolo
from apps.vision.detection.prediction import result_files
from apps.vision.detection.prediction.tile_merge import Found
from apps.vision.detection.predictor import DetectionPredictor, upright_size
from shared.common.errors import KerasuiteError
from shared.common.inputs import Source, find_inputs
from shared.engine.prediction.merge_shards import merge_if_last
from shared.engine.prediction.predict import predict
from shared.engine.saved_model import loaded_model
from shared.engine.saved_model.loaded_model import LoadedModel
from shared.image.result_name import result_name
from tests.apps.vision.detection import toy_detector
from tests.apps.vision.detection.toy_detector import CLASSES, encode, export_toy, picture

IMAGES = {
    "a.jpg": encode(picture(80, 60, 0), "JPEG"),
    "a.png": encode(picture(50, 70, 1)),
    "deep/turned.png": encode(picture(90, 40, 2), "PNG", orientation=6),
    "deep/wide.webp": encode(picture(20, 130, 3), "WEBP"),
    "tall.tif": encode(picture(150, 30, 4), "TIFF"),
}
SIZES = {
    "a.jpg": (60, 80),
    "a.png": (70, 50),
    "deep/turned.png": (40, 90),
    "deep/wide.webp": (130, 20),
    "tall.tif": (30, 150),
}


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """(SavedModel, folder of images); the fresh process has a test of its own."""
    folder = tmp_path_factory.mktemp("predict")
    for name, content in IMAGES.items():
        path = folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "images" / "bad.jpg").write_bytes(b"no image")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shared.engine.saved_model.export.verify", lambda jobs: None)
        path, _ = export_toy(folder)
        # Every test loads the same one, which takes seconds.
        patch.setattr(loaded_model, "_load", functools.cache(loaded_model._load))
        yield path, folder / "images"


def run(toy, output, predictor=None, inputs=None, **options):
    path, folder = toy
    predictor = predictor or DetectionPredictor(CLASSES)
    sources = find_inputs(inputs or [folder], predictor.suffixes, output=output)
    return predict(path, sources, predictor, output, progress=False, **options)


def rows_of(output):
    return [json.loads(line) for line in (output / "predictions.jsonl").read_text().splitlines()]


def answers(toy, image, **values):
    """Outputs of the SavedModel itself for one image, by short names, and their number."""
    values = {"confidence": 0.25, "iou": 0.7, "max_detections": 300} | values
    inputs = {"image_bytes": tf.constant([image])} | {k: tf.constant(v) for k, v in values.items()}
    outputs = LoadedModel(toy[0], "with_thresholds").module.signatures["with_thresholds"](**inputs)
    found = {name.partition("_")[2]: value.numpy()[0] for name, value in outputs.items()}
    return found, int(found["detections"])


def test_records_are_the_answers_of_the_saved_model_in_pixels(toy, tmp_path):
    done = run(toy, tmp_path / "out", batch_size=3)
    assert (done.done, done.rejected) == (5, 1)
    rows = rows_of(tmp_path / "out")
    assert {row["file"]: (row["width"], row["height"]) for row in rows} == SIZES
    for row in rows:
        if row["file"] == "tall.tif":
            continue  # The model reads it as PNG only.
        found, count = answers(toy, IMAGES[row["file"]])
        assert len(row["detections"]) == count > 0
        for index, each in enumerate(row["detections"]):
            top, left, bottom, right = found["boxes"][index]
            pixels = np.array([left, top, right, bottom]) * (SIZES[row["file"]] * 2)
            np.testing.assert_allclose(each["box"], pixels, atol=0.02)
            assert each["label"] == found["labels"][index].decode() == CLASSES[each["class"]]
            assert each["score"] == pytest.approx(found["scores"][index], abs=1e-5)
    error = json.loads((tmp_path / "out" / "errors.jsonl").read_text())
    assert error["file"] == "bad.jpg"


def test_thresholds_and_classes(toy, tmp_path):
    image = toy[1] / "a.png"
    values = {"confidence": 0.5, "iou": 0.4, "max_detections": 6}
    run(toy, tmp_path / "few", DetectionPredictor(CLASSES, **values), [image])
    row = rows_of(tmp_path / "few")[0]
    found, count = answers(toy, IMAGES["a.png"], **values)
    assert [each["class"] for each in row["detections"]] == found["classes"][:count].tolist()
    # Other classes take no row from the chosen ones.
    chosen = DetectionPredictor(CLASSES, classes="bird, dog/é", **values)
    run(toy, tmp_path / "chosen", chosen, [image])
    found, count = answers(toy, IMAGES["a.png"], **values | {"max_detections": 300})
    expected = [n for n in found["classes"][:count].tolist() if n != 0][:6]
    got = rows_of(tmp_path / "chosen")[0]["detections"]
    assert [each["class"] for each in got] == expected and len(expected) > 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": "cat,brid"}, "--classes brid: no class of the model .*did you mean 'bird'"),
        ({"confidence": 1.5}, "--confidence 1.5: give a number from 0 to 1"),
        ({"iou": -1.0}, "--iou -1.0"),
        ({"max_detections": 0}, "--max-detections 0: give at least 1"),
        ({"tile": 8}, "--tile 8: give at least 32"),
        ({"overlap": 1.0}, "--overlap 1.0"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(KerasuiteError, match=message):
        DetectionPredictor(CLASSES, **options)


# === COCO results ===


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_pycocotools_loads_the_results(toy, tmp_path, format):
    from pycocotools.coco import COCO

    out = tmp_path / "out"
    run(toy, out, format=format)
    run(toy, tmp_path / "lines")
    truth = COCO(str(out / "images.coco.json"))
    results = truth.loadRes(str(out / "detections.coco.json"))
    assert [each["name"] for each in truth.loadCats(truth.getCatIds())] == CLASSES
    by_name = {each["file_name"]: each for each in truth.dataset["images"]}
    for row in rows_of(tmp_path / "lines"):
        image = by_name[row["file"]]
        assert (image["width"], image["height"]) == SIZES[row["file"]]
        loaded = results.loadAnns(results.getAnnIds(imgIds=[image["id"]]))
        assert len(loaded) == len(row["detections"])
        for one, each in zip(loaded, row["detections"], strict=True):
            x, y, width, height = one["bbox"]
            np.testing.assert_allclose([x, y, x + width, y + height], each["box"], atol=0.011)
            assert (one["category_id"] - 1, one["score"]) == (each["class"], each["score"])


def test_csv_has_one_row_for_an_image(toy, tmp_path):
    run(toy, tmp_path / "out", format="csv")
    with open(tmp_path / "out" / "predictions.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == list(SIZES)
    for row in rows:
        assert list(row) == ["file", "width", "height", "count", "detections"]
        assert int(row["count"]) == len(json.loads(row["detections"]))


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_shards_give_the_files_of_one_process(toy, tmp_path, format):
    run(toy, tmp_path / "alone", DetectionPredictor(CLASSES, save_txt=True), format=format)
    path, folder = toy
    out = tmp_path / "shared"
    for shard in ("1/2", "2/2"):
        predictor = DetectionPredictor(CLASSES, save_txt=True)
        sources = find_inputs([folder], predictor.suffixes, output=out, shard=shard)
        predict(path, sources, predictor, out, format=format, shard=shard, progress=False)
        everything = find_inputs([folder], predictor.suffixes, output=out)
        assert merge_if_last(out, format, shard, everything, predictor) == (shard == "2/2")
    for name in ("images.coco.json", "classes.txt"):
        assert (out / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
    # Other batches may round otherwise.
    one, other = (
        json.loads((f / "detections.coco.json").read_text()) for f in (out, tmp_path / "alone")
    )
    assert [each["image_id"] for each in one] == [each["image_id"] for each in other]


def test_no_image_at_all_gives_valid_json(toy, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"")
    run(toy, tmp_path / "out", inputs=[tmp_path / "bad.png"])
    assert json.loads((tmp_path / "out" / "detections.coco.json").read_text()) == []
    images = json.loads((tmp_path / "out" / "images.coco.json").read_text())
    assert images["images"] == [] and len(images["categories"]) == 3


# === Files ===


def test_pictures_crops_and_labels(toy, tmp_path):
    predictor = DetectionPredictor(
        CLASSES, save_images=True, save_crops=True, save_txt=True, confidence=0.9
    )
    out = tmp_path / "out"
    run(toy, out, predictor)
    names = ["a.jpg", "a.png", "deep/turned", "deep/wide", "tall"]
    found = sorted(p.relative_to(out / "images").as_posix() for p in out.glob("images/**/*.jpg"))
    assert found == sorted(f"{name}.jpg" for name in names)
    raw = read_yolo(out)
    assert raw.class_names == CLASSES and not raw.problems
    boxes = {
        Path(image.path).relative_to(out / "images").as_posix()[:-4]: image.boxes
        for image in raw.images
        if "/images/" in image.path
    }
    for row, name in zip(rows_of(out), names, strict=True):
        size = (row["width"], row["height"])
        assert Image.open(out / "images" / f"{name}.jpg").size == size
        assert len(boxes[name]) == len(row["detections"])
        for box, each in zip(boxes[name], row["detections"], strict=True):
            assert box.label == each["label"]
            np.testing.assert_allclose(np.array(box.corners) * (size * 2), each["box"], atol=0.02)
        for number, each in enumerate(row["detections"], start=1):
            label = each["label"].replace("/", "_")
            crop = Image.open(out / "crops" / label / f"{name}-{number}.jpg")
            x1, y1, x2, y2 = each["box"]
            assert abs(crop.width - (x2 - x1)) <= 2 and abs(crop.height - (y2 - y1)) <= 2
    assert (out / "classes.txt").read_text("utf-8").splitlines() == CLASSES


def test_crops_are_cut_where_the_boxes_are():
    image = np.zeros((40, 60, 3), np.uint8)
    image[10:20, 30:50] = 255
    found = Found(
        np.array([[0.5, 0.25, 50 / 60, 0.5], [0.999, 0.999, 1, 1], [0.3, 0.3, 0.3, 0.3]]),
        np.array([0.9, 0.8, 0.7]),
        np.array([0, 1, 1]),
    )
    files = dict(result_files.crops(image, found, CLASSES, "x/y"))
    assert list(files) == ["cat/x/y-1.jpg", "dog_é/x/y-2.jpg", "dog_é/x/y-3.jpg"]
    pictures = [np.asarray(Image.open(io.BytesIO(content))) for content in files.values()]
    assert pictures[0].shape == (10, 20, 3) and pictures[0].min() > 200
    assert [picture.shape for picture in pictures[1:]] == [(1, 1, 3)] * 2


def test_labels_with_scores_and_without_detections():
    found = Found(np.array([[0.1, 0.2, 0.5, 0.4]]), np.array([0.75]), np.array([2]))
    assert result_files.yolo_text(found, False) == b"2 0.300000 0.300000 0.400000 0.200000\n"
    assert result_files.yolo_text(found, True).endswith(b" 0.200000 0.750000\n")
    assert result_files.yolo_text(found.take(slice(0)), True) == b""


@pytest.mark.parametrize("label", ["..", ".hidden", "a/b", "", "x" * 300, "..\\..", "é ü", "a\nb"])
def test_any_label_is_a_safe_folder(label):
    name = result_files.folder_name(label)
    assert name and "/" not in name and "\\" not in name and not name.startswith(".")
    assert len(name.encode()) <= 240


def test_result_names_never_collide(tmp_path):
    names = ["a.jpg", "a.png", "a.png.jpg", "b.PNG", "c", "c.png", "d.dat", "d.dat.gif", "e/b.PNG"]
    names += ["f.Jpg", "f.pNG", "f.Tiff"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    sources = [Source(name, tmp_path / name) for name in names]
    sources += [Source("stdin", None), Source("stdin.png", tmp_path / "stdin.png")]
    results = [result_name(source) for source in sources]
    assert len(set(results)) == len(results)
    assert results[3] == "b" and results[8] == "e/b"


def test_upright_size_is_that_of_the_decoded_image():
    for image in (
        encode(picture(30, 50), kind, turn)
        for kind in ("PNG", "JPEG", "WEBP")
        for turn in (1, 3, 6)
    ):
        assert upright_size(image) == (50, 30)


# === Tiles and memory ===


def test_tiles_find_what_the_whole_image_hides(toy, tmp_path):
    """Every tile is answered as an image of its own, so at least as much is found."""
    Image.fromarray(np.tile(picture(64, 64, 7), (3, 4, 1))).save(tmp_path / "large.png")
    inputs = [tmp_path / "large.png"]
    run(toy, tmp_path / "whole", inputs=inputs)
    run(toy, tmp_path / "tiles", DetectionPredictor(CLASSES, tile=64, overlap=0.0), inputs=inputs)
    whole, tiled = (rows_of(tmp_path / name)[0]["detections"] for name in ("whole", "tiles"))
    assert len(tiled) > 2 * len(whole)
    boxes = np.array([each["box"] for each in tiled])
    assert boxes.min() >= 0 and (boxes.max(axis=0) <= [256, 192, 256, 192]).all()


def test_an_image_of_one_tile_is_not_tiled(toy, tmp_path):
    inputs = [toy[1] / "a.jpg"]
    run(toy, tmp_path / "whole", inputs=inputs)
    run(toy, tmp_path / "tiles", DetectionPredictor(CLASSES, tile=80), inputs=inputs)
    assert rows_of(tmp_path / "whole") == rows_of(tmp_path / "tiles")


def test_large_images_go_into_calls_of_their_own(toy, monkeypatch):
    monkeypatch.setattr(predictors, "PIXELS_OF_CALL", 10_000)
    predictor = DetectionPredictor(CLASSES)
    model = LoadedModel(toy[0], predictor.signature)
    predictor.start(model)
    calls, detect = [], predictor._detect
    monkeypatch.setattr(
        predictor,
        "_detect",
        lambda model, images: calls.append(len(images)) or detect(model, images),
    )
    sizes = [(50, 50), (60, 50), (200, 90), (20, 20), (90, 100), (30, 30)]
    images = [encode(picture(*size, seed)) for seed, size in enumerate(sizes)]
    examples = [{"image_bytes": i, "size": np.array(upright_size(i))} for i in images]
    outputs = predictor.call(model, examples)
    assert calls == [2, 1, 2, 1]
    for image, output in zip(images, outputs, strict=True):
        found, count = answers(toy, image)
        assert output["found"].classes.tolist() == found["classes"][:count].tolist()


def test_defaults_are_those_of_the_export(toy):
    predictor = DetectionPredictor(CLASSES, iou=0.5)
    predictor.start(LoadedModel(toy[0], predictor.signature))
    default = toy_detector.config().detection
    assert predictor.thresholds == {
        "confidence": pytest.approx(default.confidence),
        "iou": 0.5,
        "max_detections": default.max_detections,
    }


@pytest.mark.slow
def test_an_image_of_108_megapixels(toy, tmp_path):
    image = Image.new("RGB", (12_000, 9_000), "grey")
    image.paste(Image.fromarray(picture(400, 500, 1)), (7_000, 5_000))
    image.save(tmp_path / "giant.jpg")
    del image
    inputs = [tmp_path / "giant.jpg"]
    done = run(toy, tmp_path / "refused", DetectionPredictor(CLASSES, tile=1024), inputs)
    assert (done.done, done.rejected) == (0, 1)
    options = {"tile": 1024, "save_images": True, "save_crops": True}
    run(toy, tmp_path / "out", DetectionPredictor(CLASSES, 120_000_000, **options), inputs)
    row = rows_of(tmp_path / "out")[0]
    assert (row["width"], row["height"]) == (12_000, 9_000) and row["detections"]
    assert Image.open(tmp_path / "out" / "images" / "giant.jpg").size == (12_000, 9_000)

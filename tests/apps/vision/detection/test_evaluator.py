"""Detection metrics against pycocotools on JSON files, and the report."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from apps.vision.detection.annotations.convert import convert
from apps.vision.detection.annotations.image_boxes import ImageBoxes
from apps.vision.detection.annotations.reader import read_annotations
from apps.vision.detection.evaluation.box_matches import (
    CONFIDENCES,
    ConfidenceCurves,
    confidence_curves,
    confusion_matrix,
    judge,
)
from apps.vision.detection.evaluation.coco_evaluation import BoxEvaluation, Detections, xywh_pixels
from apps.vision.detection.evaluation.coco_metrics import class_metrics, coco_metrics
from apps.vision.detection.evaluation.detection_pictures import thumbnail
from apps.vision.detection.evaluator import DetectionEvaluator
from shared.common.errors import KerasuiteError

# COCOeval.stats and the names that they have here.
STATS = {0: "map", 1: "map50", 2: "map75", 3: "map_small", 4: "map_medium", 5: "map_large"}
STATS |= {6: "ar1", 7: "ar10", 8: "ar100"}
SIZES = [(640, 480), (333, 500), (37, 41), (1920, 1080)]
CLASSES = 5  # the last one has no truth, the one before it is never found


# === Data, in pixels as annotation files have them ===


def random_data(seed, crowd=0.1, found=40, tied=False, close=False, sizes=SIZES, images=12):
    """Rows of truth (image, class, xywh, crowd) and of what is found (image, class, xywh, score).

    Args:
        crowd: share of crowd regions.
        found: boxes near truths in each image.
        tied: whether many scores are equal.
        close: whether truths overlap each other, at whole pixels.
    """
    generator = np.random.default_rng(seed)
    truth, detections = [], []
    for image in range(images):
        width, height = sizes[image % len(sizes)]
        boxes = random_boxes(generator, generator.integers(0, 9), width, height)
        if close:
            shift = generator.integers(-3, 4, (3, len(boxes), 4))
            boxes = inside(np.concatenate([boxes.round(), *(boxes.round() + shift)]), width, height)
        labels = generator.integers(0, 2 if close else CLASSES - 1, len(boxes))
        is_crowd = generator.random(len(boxes)) < crowd
        truth += [(image, *row) for row in zip(labels, boxes, is_crowd, strict=True)]
        near = boxes[generator.integers(0, len(boxes), found)] if len(boxes) else boxes
        noise = generator.normal(0, 0.06, near.shape) * near[:, [2, 3, 2, 3]]
        near = near + noise.round(0 if close else 2)
        other = random_boxes(generator, 5, width, height)
        candidates = inside(np.concatenate([near, other]), width, height)
        if image % 5 == 3:
            candidates = candidates[:0]
        scores = generator.random(len(candidates)).astype(np.float32)
        scores = np.round(scores, 1) if tied else scores
        labels = generator.choice([0, 1, 2, CLASSES - 1], len(candidates))
        detections += [(image, *row) for row in zip(labels, candidates, scores, strict=True)]
    return truth, detections


def random_boxes(generator, count, width, height):
    side = generator.uniform(0.02, 0.5, (count, 2)) * [width, height]
    corner = generator.uniform(0, 0.9, (count, 2)) * [width, height]
    return inside(np.concatenate([corner, side], axis=1), width, height)


def inside(boxes, width, height):
    """In hundredths of pixels, as in COCO's own files."""
    corner = np.clip(boxes[:, :2], 0, [width - 4, height - 4]).round(2)
    side = np.clip(boxes[:, 2:], 3, [width, height] - corner).round(2)
    return np.concatenate([corner, side], axis=1)


def as_arrays(truth, detections, sizes=SIZES, images=12, areas=None):
    """ImageBoxes and Detections of the rows."""
    known, found = [], []
    for image in range(images):
        width, height = sizes[image % len(sizes)]
        rows = [row[1:] for row in truth if row[0] == image]
        labels, boxes, crowd = zip(*rows, strict=True) if rows else ((), (), ())
        boxes, labels = normalised(boxes, width, height), np.array(labels, np.int32)
        known.append(ImageBoxes("", width, height, boxes, labels, np.array(crowd, bool)))
        if areas is not None:
            own = [area for row, area in zip(truth, areas, strict=True) if row[0] == image]
            known[-1] = dataclasses.replace(known[-1], areas=np.array(own, float))
        rows = [row[1:] for row in detections if row[0] == image]
        labels, boxes, scores = zip(*rows, strict=True) if rows else ((), (), ())
        boxes, labels = normalised(boxes, width, height), np.array(labels, np.int32)
        found.append(Detections(boxes, np.array(scores, np.float32), labels))
    return known, found


def normalised(boxes, width, height):
    boxes = np.array(boxes, np.float64).reshape(-1, 4)
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    return (corners / [width, height, width, height]).astype(np.float32)


def from_files(
    folder, truth, detections, sizes=SIZES, images=12, thresholds=None, areas=None
) -> COCOeval:
    """Metrics of pycocotools for the rows as COCO files."""
    content = {
        "images": [
            {"id": i + 1, "width": sizes[i % len(sizes)][0], "height": sizes[i % len(sizes)][1]}
            for i in range(images)
        ],
        "categories": [{"id": i + 1, "name": f"c{i}"} for i in range(CLASSES)],
        "annotations": [
            annotation(row)
            | {"id": number, "area": area or float(row[2][2] * row[2][3]), "iscrowd": int(row[3])}
            for number, (row, area) in enumerate(
                zip(truth, areas or [0.0] * len(truth), strict=True), start=1
            )
        ],
    }
    results = [annotation(row) | {"score": float(row[3])} for row in detections]
    (folder / "truth.json").write_text(json.dumps(content))
    (folder / "results.json").write_text(json.dumps(results))
    known = COCO(str(folder / "truth.json"))
    if results:
        found = known.loadRes(str(folder / "results.json"))
    else:  # pycocotools refuses a file without results
        (folder / "none.json").write_text(json.dumps(content | {"annotations": []}))
        found = COCO(str(folder / "none.json"))
    evaluation = COCOeval(known, found, "bbox")
    if thresholds:
        evaluation.params.iouThrs = np.array(thresholds)
    evaluation.evaluate()
    evaluation.accumulate()
    return evaluation


def annotation(row):
    box = [float(value) for value in row[2]]
    return {"image_id": row[0] + 1, "category_id": int(row[1]) + 1, "bbox": box}


def evaluated(images, detections, classes=CLASSES) -> BoxEvaluation:
    evaluation = BoxEvaluation(images, detections, classes)
    evaluation.evaluate()
    evaluation.accumulate()
    return evaluation


# === COCO's metrics ===

CASES = {
    "usual": {},
    "ties": {"tied": True},
    "many crowd regions": {"crowd": 0.5},
    "all crowd": {"crowd": 1.0},
    "truths that overlap": {"close": True, "found": 100},
    "truths and crowd that overlap": {"close": True, "crowd": 0.3, "tied": True, "found": 100},
    "small truths that overlap": {"close": True, "sizes": [(37, 41)], "found": 100},
    "more than 100 of a class in an image": {"found": 800},
    "only large images": {"sizes": [(1920, 1080)]},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", [1, 2])
def test_every_number_is_that_of_pycocotools_on_files(tmp_path, case, seed):
    truth, detections = random_data(seed, **CASES[case])
    known = assert_as_from_files(tmp_path, truth, detections, CASES[case].get("sizes", SIZES))
    assert len(known) >= 6 or case in ("all crowd", "small truths that overlap")


def test_no_detection_at_all(tmp_path):
    truth, _ = random_data(1)
    known = assert_as_from_files(tmp_path, truth, [])
    assert len(known) == len(STATS) and set(known.values()) == {0.0}


def test_whole_pixels_at_the_limits_of_sizes(tmp_path):
    sides = [(32, 32), (96, 96), (16, 64), (31, 33)]
    truth = [(i % 12, i % 4, [3, 1, *sides[i // 12]], False) for i in range(48) if i % 4 != 2]
    known = assert_as_from_files(tmp_path, truth, [(*row[:3], 0.5) for row in truth])
    # 32 x 32 is small as well as medium.
    assert known["map_medium"] == pytest.approx(1) and known["map_small"] == pytest.approx(1)


def test_areas_of_outlines_decide_on_the_size(tmp_path):
    truth, detections = random_data(5)
    areas = np.random.default_rng(5).uniform(0.3, 1.0, len(truth))
    areas = [float(a * row[2][2] * row[2][3]) for a, row in zip(areas, truth, strict=True)]
    areas[3] = 0.0  # not said
    known = assert_as_from_files(tmp_path, truth, detections, areas=areas)
    assert known != assert_as_from_files(tmp_path, truth, detections)


def test_ties_are_broken_by_the_image_ids_of_the_file(tmp_path):
    """The rows of a COCO file stand in another order than their ids."""
    sides = [(64, 48), (37, 41)]
    truth, detections = random_data(1, tied=True, crowd=0.0, sizes=sides)
    ids = (np.random.default_rng(3).permutation(12) * 7 + 3).tolist()
    file = COCO()
    file.dataset = {
        "images": [
            {"id": id, "file_name": f"{row}.png", "width": width, "height": height}
            for row, (id, (width, height)) in enumerate(zip(ids, sides * 6, strict=True))
        ],
        "categories": [{"id": i + 1, "name": f"c{i}"} for i in range(CLASSES)],
        "annotations": [
            annotation(row) | {"id": number, "area": float(row[2][2] * row[2][3]), "iscrowd": 0}
            for number, row in enumerate(truth, start=1)
        ],
    }
    for row in file.dataset["annotations"]:
        row["image_id"] = ids[row["image_id"] - 1]
    (tmp_path / "truth.json").write_text(json.dumps(file.dataset))
    for image in file.dataset["images"]:
        size = image["width"], image["height"]
        Image.new("RGB", size, (image["id"], 0, 0)).save(tmp_path / image["file_name"])
    file.createIndex()
    results = [
        annotation(row) | {"image_id": ids[row[0]], "score": float(row[3])} for row in detections
    ]
    expected = COCOeval(file, file.loadRes(results), "bbox")
    expected.evaluate()
    expected.accumulate()
    expected.summarize()

    _, found = as_arrays(truth, detections, sides)
    of_file = {f"{row}.png": one for row, one in enumerate(found)}

    def measured(data):
        evaluator = DetectionEvaluator(data.class_names, data.images, 64)
        evaluator._detections = [of_file[Path(image.path).name] for image in data.images]
        return evaluator.result()

    data = read_annotations([str(tmp_path / "truth.json")])
    assert [Path(image.path).name for image in data.images] == [
        f"{row}.png" for row in np.argsort(ids)
    ]
    known = {name: expected.stats[i] for i, name in STATS.items() if expected.stats[i] != -1}
    assert measured(data) == measured(data) | known and len(known) == 7
    # The data converted have new ids in the same order.
    convert(data, tmp_path / "out", "coco")
    again = read_annotations([str(tmp_path / "out")])
    assert measured(again)["map"] == expected.stats[0]
    # With the rows in the order of the file it is another number.
    in_file_order = sorted(data.images, key=lambda image: int(Path(image.path).stem))
    assert measured(dataclasses.replace(data, images=in_file_order))["map"] != expected.stats[0]


def assert_as_from_files(folder, truth, detections, sizes=SIZES, areas=None) -> dict[str, float]:
    """Compares every number; returns the means."""
    expected = from_files(folder, truth, detections, sizes, areas=areas)
    expected.summarize()
    actual = evaluated(*as_arrays(truth, detections, sizes, areas=areas))
    for name in ("precision", "recall", "scores"):
        np.testing.assert_array_equal(actual.eval[name], expected.eval[name])
    known = {name: expected.stats[i] for i, name in STATS.items() if expected.stats[i] != -1}
    assert coco_metrics(actual) == known
    for label, row in enumerate(class_metrics(actual)):
        precision = expected.eval["precision"][:, :, label, 0, -1]
        if (precision == -1).all():
            assert row == {"ap": None, "ap50": None}
        else:
            assert row == {"ap": precision.mean(), "ap50": precision[0].mean()}
    return known


def test_a_side_of_32_pixels_survives_normalised_float32():
    for width in range(33, 700):
        boxes = normalised([[1, 1, 32, 32]], width, width)
        assert xywh_pixels(boxes, width, width).tolist() == [[1, 1, 32, 32]]


def test_nothing_is_printed(capsys):
    coco_metrics(evaluated(*as_arrays(*random_data(3))))
    assert capsys.readouterr() == ("", "")


# === Precision, recall, F1 ===


def test_curves_are_what_pycocotools_counts_without_the_boxes_below(tmp_path):
    truth, detections = random_data(4)
    images, found = as_arrays(truth, detections)
    curves = confidence_curves(images, found, evaluated(images, found).matches, CLASSES)
    totals = np.bincount([row[1] for row in truth if not row[3]], minlength=CLASSES)
    for index in (0, 250, 501, 870, 1000):
        above = [row for row in detections if row[3] >= CONFIDENCES[index]]
        rows = from_files(tmp_path, truth, above, thresholds=[0.5]).evalImgs
        for label in range(CLASSES):
            of_class = [r for r in rows if r and r["category_id"] == label + 1]
            of_class = [r for r in of_class if r["aRng"] == [0, 1e10]]
            counted = [(r["dtMatches"] > 0)[~r["dtIgnore"]] for r in of_class]
            right = sum(part.sum() for part in counted)
            number = sum(part.size for part in counted)
            at = {name: getattr(curves, name)[label, index] for name in ("precision", "recall")}
            if not totals[label]:
                assert np.isnan(list(at.values())).all()
                continue
            assert at == {"precision": right / max(number, 1), "recall": right / totals[label]}
            mean = 2 * at["precision"] * at["recall"] / max(sum(at.values()), 1e-9)
            assert curves.f1[label, index] == pytest.approx(mean)


def test_best_confidence_is_in_the_middle_of_its_plateau():
    f1 = np.zeros((3, 1001))
    f1[:, 300:501] = 0.5
    f1[0, 300:700] = 0.5
    f1[2] = np.nan
    assert ConfidenceCurves(f1, f1, f1).best == 400
    assert ConfidenceCurves(*[np.zeros((1, 1001))] * 3).best == 500


# === Confusions ===


def one_image():
    """Four boxes and a crowd region; one found, one taken for another class, two missed."""
    boxes = [[0, 0, 20, 20], [40, 0, 20, 20], [0, 40, 20, 20], [40, 40, 20, 20], [60, 60, 40, 40]]
    labels = [0, 1, 1, 0, 0]
    crowd = [False] * 4 + [True]
    truth = [(0, *row) for row in zip(labels, boxes, crowd, strict=True)]
    detections = [
        (0, 0, [0, 0, 20, 20], 0.9),  # right
        (0, 0, [1, 0, 20, 20], 0.8),  # twice: a false alarm
        (0, 0, [40, 0, 20, 19], 0.7),  # of class 1
        (0, 1, [80, 0, 20, 20], 0.6),  # nothing there
        (0, 0, [70, 70, 20, 20], 0.5),  # in the crowd
        (0, 1, [0, 40, 20, 20], 0.2),  # right, but not sure enough
    ]
    return as_arrays(truth, detections, sizes=[(100, 100)], images=1)


def test_confusions_of_one_image():
    images, found = one_image()
    matches = evaluated(images, found, 2).matches
    judgement = judge(images[0], found[0], matches[0], 0.25)
    assert judgement.right.tolist() == [0] and judgement.found.tolist() == [0]
    assert judgement.wrong.tolist() == [1, 2, 3] and judgement.missed.tolist() == [1, 2, 3]
    assert judgement.f1 == pytest.approx(2 / 8)
    matrix = confusion_matrix(images, found, [judgement], 2)
    assert matrix.tolist() == [[1, 0, 1], [1, 0, 1], [1, 1, 0]]
    sure = judge(images[0], found[0], matches[0], 0.1)
    assert sorted(sure.found.tolist()) == [0, 2] and sure.missed.tolist() == [1, 3]


def test_each_box_stands_once_in_the_confusion_matrix():
    images, found = as_arrays(*random_data(5))
    matches = evaluated(images, found).matches
    rows = [judge(*row, 0.25) for row in zip(images, found, matches, strict=True)]
    matrix = confusion_matrix(images, found, rows, CLASSES)
    labels = np.concatenate([image.labels[~image.crowd] for image in images])
    assert matrix.sum(1)[:-1].tolist() == np.bincount(labels, minlength=CLASSES).tolist()
    kept = [(d.scores[m.kept] >= 0.25) & ~m.ignored for d, m in zip(found, matches, strict=True)]
    assert matrix[:, :-1].sum() == sum(part.sum() for part in kept)
    assert np.trace(matrix) == sum(len(row.right) for row in rows) > 10
    assert (matrix - np.diag(np.diag(matrix)))[:-1, :-1].sum() > 5


# === The evaluator ===


def letterboxed(boxes, width, height, size):
    """Where boxes of an image lie in the square; written anew."""
    factor = size / max(width, height)
    inner = [round(width * factor), round(height * factor)]
    before = [(size - side) // 2 for side in inner]
    return (boxes * [*inner, *inner] + [*before, *before]) / size


def outputs(images, found, size, rows=60):
    """Detections as the model gives them, padded with zeros."""
    shapes = {"boxes": (rows, 4), "scores": (rows,), "classes": (rows,)}
    filled = {name: np.zeros((len(images), *shape), np.float32) for name, shape in shapes.items()}
    filled["classes"] = filled["classes"].astype(np.int32)
    for index, (image, one) in enumerate(zip(images, found, strict=True)):
        count = len(one.scores)
        boxes = letterboxed(one.boxes, image.width, image.height, size)
        for name, values in (("boxes", boxes), ("scores", one.scores), ("classes", one.classes)):
            filled[name][index, :count] = values
    return filled | {"count": np.array([len(one.scores) for one in found], np.int32)}


@pytest.fixture
def evaluator(tmp_path):
    """An evaluator that has seen random detections, in two batches, of image files."""
    images, found = as_arrays(*random_data(6))
    paths = [tmp_path / f"image-{number}.png" for number in range(len(images))]
    for image, path in zip(images, paths, strict=True):
        Image.new("RGB", (image.width, image.height), "navy").save(path)
    images = [
        ImageBoxes(str(path), i.width, i.height, i.boxes, i.labels, i.crowd)
        for i, path in zip(images, paths, strict=True)
    ]
    evaluator = DetectionEvaluator([f"class {i}" for i in range(CLASSES)], images, 320)
    for part in (slice(0, 8), slice(8, 12)):
        evaluator.update((None, None), outputs(images[part], found[part], 320))
    return evaluator


def test_found_boxes_come_back_to_the_original_images(evaluator):
    _, found = as_arrays(*random_data(6))
    for image, one, back in zip(evaluator.images, found, evaluator._detections, strict=True):
        tolerance = 1e-4 * max(image.width, image.height)
        expected = xywh_pixels(one.boxes, image.width, image.height)
        actual = xywh_pixels(back.boxes, image.width, image.height)
        np.testing.assert_allclose(actual, expected, atol=tolerance)
        np.testing.assert_array_equal(back.scores, one.scores)
        np.testing.assert_array_equal(back.classes, one.classes)


def test_result_and_report(evaluator, tmp_path):
    result = evaluator.result()
    assert list(result)[:2] == ["map", "map50"]
    assert set(result) == {*STATS.values(), "precision", "recall", "f1", "best_confidence"}
    assert all(isinstance(value, float) for value in result.values())
    assert 0.1 < result["map"] < result["map50"] < 1
    report = evaluator.report(tmp_path / "run")
    content = json.loads(json.dumps(report))
    assert list(content["per_class"]) == evaluator.class_names
    known = [row for row in content["per_class"].values() if row["boxes"]]
    assert len(known) == CLASSES - 1
    for name in ("precision", "recall", "f1"):
        assert np.mean([row[name] for row in known]) == pytest.approx(result[name])
    assert np.mean([row["ap50"] for row in known]) == pytest.approx(result["map50"])
    assert content["per_class"]["class 4"] == {
        **dict.fromkeys(("ap", "ap50", "precision", "recall", "f1")),
        "boxes": 0,
    }
    assert np.shape(content["confusion_matrix"]) == (CLASSES + 1, CLASSES + 1)
    for name in ("precision_recall", "f1", "confusion"):
        with Image.open(tmp_path / "run" / "plots" / f"{name}.png") as picture:
            assert min(picture.size) > 300
    with Image.open(tmp_path / "run" / "samples" / "validation.jpg") as sheet:
        assert sheet.size == (4 * 480 + 3 * 8, 3 * 480 + 2 * 8)


def test_the_worst_images_come_first(evaluator, tmp_path):
    evaluator.report(tmp_path / "run")
    page = (tmp_path / "run" / "samples" / "worst.html").read_text(encoding="utf-8")
    missed = [int(n) for n in re.findall(r"<figcaption>True: \d+ box(?:es)?, (\d+) missed", page)]
    alarms = [int(n) for n in re.findall(r"<figcaption>Found: \d+ right, (\d+) false", page)]
    faults = np.add(missed, alarms)
    assert faults.tolist() == sorted(faults, reverse=True) and len(faults) > 5
    assert len(set(re.findall(r"<h3>(image-\d+\.png)</h3>", page))) == len(faults)
    assert page.count("data:image/jpeg") == 2 * len(faults)


def test_perfect_detections_and_none(tmp_path):
    truth, _ = random_data(7, crowd=0, sizes=[(300, 200)])
    images, _ = as_arrays(truth, [], sizes=[(300, 200)])
    perfect = [
        Detections(i.boxes, np.full(len(i.boxes), 0.8, np.float32), i.labels) for i in images
    ]
    names = [f"class {i}" for i in range(CLASSES)]
    evaluator = DetectionEvaluator(names, images, 640)
    evaluator.update((None, None), outputs(images, perfect, 640))
    result = evaluator.result()
    assert result["precision"] == result["recall"] == result["f1"] == 1
    assert result["map"] == pytest.approx(1)
    assert result["best_confidence"] == 0.4
    nothing = [Detections(i.boxes[:0], np.zeros(0), i.labels[:0]) for i in images]
    evaluator = DetectionEvaluator(names, images, 640)
    evaluator.update((None, None), outputs(images, nothing, 640))
    result = evaluator.result()
    del result["best_confidence"]
    assert set(result.values()) == {0.0}
    evaluator.report(tmp_path)
    assert (tmp_path / "samples" / "worst.html").exists()


def test_a_size_without_boxes_is_left_out():
    truth = [(0, 0, [10, 10, 20, 20], False)]
    images, found = as_arrays(truth, [(*truth[0][:3], 0.9)], sizes=[(100, 100)], images=1)
    evaluator = DetectionEvaluator(["cat"], images, 64)
    evaluator.update((None, None), outputs(images, found, 64))
    result = evaluator.result()
    assert result["map_small"] == pytest.approx(1) and not {"map_medium", "map_large"} & set(result)


def test_metrics_follow_further_updates(evaluator):
    images = evaluator.images
    other = DetectionEvaluator(evaluator.class_names, images, 320)
    _, found = as_arrays(*random_data(6))
    for number in range(len(images)):
        part = slice(number, number + 1)
        other.update((None, None), outputs(images[part], found[part], 320))
        if any(len(image.boxes) for image in images[: number + 1]):
            other.result()
    assert other.result() == evaluator.result()
    with pytest.raises(ValueError, match="more than 12 images"):
        other.update((None, None), outputs(images[:1], found[:1], 320))


def test_images_without_boxes_cannot_be_scored():
    images, found = as_arrays([], [], images=2)
    evaluator = DetectionEvaluator(["cat"], images, 64)
    evaluator.update((None, None), outputs(images, found, 64))
    with pytest.raises(KerasuiteError, match="--validation-split"):
        evaluator.result()


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (30, 20), (2000, 1000)])
def test_thumbnails_of_any_size(tmp_path, size):
    path = Path(tmp_path / "a.png")
    boxes = ImageBoxes(str(path), *size, np.zeros((0, 4)), np.zeros(0, int), np.zeros(0, bool))
    missing = thumbnail(boxes, 100)
    Image.new("RGB", size, "navy").save(path)
    picture = thumbnail(boxes, 100)
    assert missing.shape == picture.shape and max(picture.shape) == 100
    assert picture[0, 0].tolist() == [0, 0, 128] and missing[0, 0].tolist() == [128] * 3

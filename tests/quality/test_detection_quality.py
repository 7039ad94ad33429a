"""Trainings of detection on real data against their floors: `make quality`."""

import json
import time

import pytest

from shared.testing.app_test import expect_success, kerasuite, read_history
from tests.quality.results import write_result

pytestmark = pytest.mark.quality


def train(data, folder, *options):
    """(history, seconds) of a training from the command line."""
    started = time.perf_counter()
    expect_success(kerasuite("detect", "train", data, "--output", folder, *options, timeout=7200))
    return read_history(folder), time.perf_counter() - started


def test_blood_cells_from_scratch(real_data, tmp_path):
    """Nano, 320 pixels, batch 16: above .792 mAP@.5 and .485 mAP@[.5:.95] in 950 s.

    The last epoch's figures: the best epoch is chosen by the images that it is scored on.
    """
    options = ("--preset", "nano", "--image-size", "320", "--epochs", "40")
    history, seconds = train(
        real_data / "bccd", tmp_path / "run", *options, "--validate-every", "5"
    )
    last = history[-1]
    print(
        f"\nbccd: mAP@.5 {last['val_map50']:.4f}, mAP@[.5:.95] {last['val_map']:.4f} "
        f"in {seconds:.0f} s"
    )
    write_result(
        "detect-bccd",
        "kerasuite detect train bccd --preset nano --image-size 320 --epochs 40 "
        "--validate-every 5",
        "BCCD (blood cells), its validation part, from scratch", "mAP@.5; mAP@[.5:.95]",
        f"{last['val_map50']:.3f}; {last['val_map']:.3f}", seconds,
    )  # fmt: skip
    assert last["val_map50"] > 0.792
    assert last["val_map"] > 0.485
    assert seconds <= 950


def test_blood_cells_from_scratch_by_ssd(real_data, tmp_path):
    """SSD on the same backbone and data: above .84 mAP@.5 and .52 mAP@[.5:.95].

    Platelets are smaller than the paper's default boxes, so these are fitted. The last epoch's
    figures.
    """
    options = ("--preset", "ssd320", "--backbone", "nano", "--fit-anchors", "--epochs", "40")
    history, seconds = train(
        real_data / "bccd", tmp_path / "run", *options, "--validate-every", "5"
    )
    last = history[-1]
    print(
        f"\nbccd, SSD: mAP@.5 {last['val_map50']:.4f}, mAP@[.5:.95] {last['val_map']:.4f} "
        f"in {seconds:.0f} s"
    )
    write_result(
        "detect-bccd-ssd",
        f"kerasuite detect train bccd {' '.join(options)} --validate-every 5",
        "BCCD (blood cells), its validation part, from scratch", "mAP@.5; mAP@[.5:.95]",
        f"{last['val_map50']:.3f}; {last['val_map']:.3f}", seconds,
    )  # fmt: skip
    assert last["val_map50"] > 0.84
    assert last["val_map"] > 0.52


def test_blood_cells_from_scratch_by_faster_rcnn(real_data, tmp_path):
    """Faster R-CNN on the same backbone and data: above .82 mAP@.5 and .50 mAP@[.5:.95].

    The last epoch's figures.
    """
    options = (
        "--architecture", "faster-rcnn", "--backbone", "nano", "--image-size", "320",
        "--epochs", "40",
    )  # fmt: skip
    history, seconds = train(
        real_data / "bccd", tmp_path / "run", *options, "--validate-every", "5"
    )
    last = history[-1]
    print(
        f"\nbccd, Faster R-CNN: mAP@.5 {last['val_map50']:.4f}, mAP@[.5:.95] "
        f"{last['val_map']:.4f} in {seconds:.0f} s"
    )
    write_result(
        "detect-bccd-faster-rcnn",
        f"kerasuite detect train bccd {' '.join(options)} --validate-every 5",
        "BCCD (blood cells), its validation part, from scratch", "mAP@.5; mAP@[.5:.95]",
        f"{last['val_map50']:.3f}; {last['val_map']:.3f}", seconds,
    )  # fmt: skip
    assert last["val_map50"] > 0.82
    assert last["val_map"] > 0.50
    assert seconds <= 2400


@pytest.mark.parametrize("architecture", ["yolo", "ssd", "faster-rcnn"])
@pytest.mark.parametrize("name", ["raccoon", "facemask_coco", "coco128_part"])
def test_the_whole_way(real_data, tmp_path, name, architecture):
    """Formats, categories and sizes of real data sets: train, evaluate, export, predict."""
    data, run = real_data / name, tmp_path / "run"
    options = (
        "--preset", "nano", "--image-size", "160", "--epochs", "3", "--mosaic-off-epochs", 1,
        "--architecture", architecture,
    )  # fmt: skip
    history, seconds = train(data, run, *options)
    losses = [row["loss"] for row in history]
    print(
        f"\n{name}, {architecture}: {seconds:.0f} s, losses {losses}, "
        f"mAP@.5 {history[-1]['val_map50']:.4f}"
    )
    before = json.loads((run / "metrics.json").read_text())
    expect_success(kerasuite("detect", "evaluate", run, timeout=3600))
    assert json.loads((run / "metrics.json").read_text()) == before
    root, output = tmp_path / "saved_models", tmp_path / "predictions"
    expect_success(kerasuite("detect", "export", run, "--output", root))
    found = kerasuite(
        "detect", "predict", root / "detect/run", data, "--output", output,
        "--confidence", "0.05", "--save-images", timeout=3600,
    )  # fmt: skip
    expect_success(found)
    rows = [json.loads(line) for line in (output / "predictions.jsonl").open()]
    pictures = list((output / "images").rglob("*.jpg"))
    assert len(rows) == len(pictures) > 0
    print(f"{name}: {sum(len(row['detections']) for row in rows)} boxes in {len(rows)} images")


def test_two_annotations_of_the_same_images_train_alike(real_data):
    """YOLO and COCO files of coco128_part give identical targets."""
    import numpy as np

    from apps.vision.detection.annotations.reader import read_annotations

    data = [str(real_data / "coco128_part")]
    yolo, coco = (read_annotations(data, name) for name in ("yolo", "coco"))
    by_path = {image.path: image for image in coco.images}
    assert set(by_path) == {image.path for image in yolo.images}
    for image in yolo.images:
        other = by_path[image.path]
        names = [yolo.class_names[label] for label in image.labels]
        assert names == [coco.class_names[label] for label in other.labels]
        np.testing.assert_allclose(image.boxes, other.boxes, atol=1e-4)

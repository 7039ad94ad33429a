"""Conversion between the formats: every way there and back gives the same boxes."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from apps.vision.detection.annotations.convert import convert, unique_names
from apps.vision.detection.annotations.image_boxes import DetectionData, ImageBoxes
from apps.vision.detection.annotations.reader import read_annotations
from shared.common.errors import KerasuiteError

FORMATS = ("voc", "coco", "yolo")


@pytest.fixture
def data(tmp_path):
    """Images of unequal sizes and orientations, some of the same name, one without boxes."""
    random = np.random.default_rng(1)
    images = []
    for number in range(8):
        path = tmp_path / "in" / str(number % 2) / f"{number // 2}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        width, height = (int(side) for side in random.integers(50, 400, 2))
        exif = Image.Exif()
        exif[0x0112] = number + 1
        pixels = random.integers(0, 255, (height, width, 3), np.uint8)
        Image.fromarray(pixels).save(path, exif=exif)
        count = number if number != 3 else 0
        start = random.uniform(0, 0.5, (count, 2))
        boxes = np.concatenate([start, start + random.uniform(0.1, 0.5, (count, 2))], axis=1)
        upright = (height, width) if number >= 4 else (width, height)
        labels = random.integers(0, 3, count).astype(np.int32)
        split = "validation" if number % 3 == 0 else "train"
        images.append(
            ImageBoxes(
                str(path),
                *upright,
                boxes.astype(np.float32),
                labels,
                np.zeros(count, bool),
                split=split,
            )
        )
    # All names in use, so that VOC, which sorts those it finds, has the same.
    images[2].labels[:] = [0, 1]
    images[1].labels[:] = [2]
    return DetectionData(["a <&>", "no", "été"], images)


def assert_same(first, second, pixels):
    """The same boxes within this many pixels, whatever the order of the images."""
    assert first.class_names == second.class_names
    by_size = [
        sorted(data.images, key=lambda i: (i.width, i.height, i.split)) for data in (first, second)
    ]
    for a, b in zip(*by_size, strict=True):
        assert (a.width, a.height, a.split) == (b.width, b.height, b.split)
        assert a.labels.tolist() == b.labels.tolist()
        unit = np.array([a.width, a.height] * 2)
        np.testing.assert_allclose(a.boxes * unit, b.boxes * unit, atol=pixels)


@pytest.mark.parametrize("second", FORMATS)
@pytest.mark.parametrize("first", FORMATS)
def test_there_and_on(data, tmp_path, first, second):
    convert(data, tmp_path / "1", first)
    once = read_annotations([str(tmp_path / "1")])
    assert not once.problems and not once.notes
    assert_same(data, once, 0.011)
    convert(once, tmp_path / "2", second)
    assert_same(data, read_annotations([str(tmp_path / "2")], second), 0.022)


@pytest.mark.parametrize("format", FORMATS)
def test_data_without_a_split_stay_so(data, tmp_path, format):
    plain = [ImageBoxes(i.path, i.width, i.height, i.boxes, i.labels, i.crowd) for i in data.images]
    convert(DetectionData(data.class_names, plain), tmp_path / "out", format)
    again = read_annotations([str(tmp_path / "out")])
    assert len(again.images) == 8
    expected = "train" if format == "yolo" else ""  # a data.yaml must name a train part
    assert {image.split for image in again.images} == {expected}


def test_crowd_regions_survive_in_coco_only(data, tmp_path):
    data.images[5].crowd[:2] = True
    convert(data, tmp_path / "coco", "coco")
    again = read_annotations([str(tmp_path / "coco")])
    assert sum(image.crowd.sum() for image in again.images) == 2
    lines = convert(data, tmp_path / "yolo", "yolo")
    assert lines[1].startswith("2 crowd region(s) left out")


def test_hard_links_share_the_storage(data, tmp_path):
    convert(data, tmp_path / "linked", "yolo", hard_link=True)
    convert(data, tmp_path / "copied", "yolo")
    source = os.stat(data.images[0].path)
    linked = {os.stat(path).st_ino for path in (tmp_path / "linked").rglob("*.jpg")}
    copied = {os.stat(path).st_ino for path in (tmp_path / "copied").rglob("*.jpg")}
    assert len(linked) == len(copied) == 8
    assert source.st_ino in linked and source.st_ino not in copied


def test_names_are_unique_without_suffix_and_case():
    paths = ["/d/x/A.jpg", "/d/y/a.png", "/d/x/b.jpg", "/d/x-a.jpg", "/d/x/c.jpg"]
    names = unique_names(paths)
    assert len({Path(name).stem.lower() for name in names}) == len(paths)
    assert names[2] == "b.jpg" and names[0] == "x-A.jpg"


def test_a_folder_that_holds_something_is_left_alone(data, tmp_path):
    with pytest.raises(KerasuiteError, match="is not empty"):
        convert(data, tmp_path, "voc")
    with pytest.raises(KerasuiteError, match="--format pascal"):
        convert(data, tmp_path / "new", "pascal")


@pytest.mark.parametrize("format", FORMATS)
def test_real_data_survive(real_data, tmp_path, format):
    folder = real_data / "coco128_part"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    before = read_annotations([str(folder)], "yolo")
    convert(before, tmp_path / "out", format, hard_link=True)
    after = read_annotations([str(tmp_path / "out")])
    paths = {Path(image.path).name: image for image in after.images}
    for image in before.images:
        again = paths[Path(image.path).name]
        names = [[d.class_names[n] for n in i.labels] for d, i in ((before, image), (after, again))]
        assert names[0] == names[1]
        unit = np.array([image.width, image.height] * 2)
        np.testing.assert_allclose(image.boxes * unit, again.boxes * unit, atol=0.011)

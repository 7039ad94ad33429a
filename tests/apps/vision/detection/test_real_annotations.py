"""Annotations as real programs and people leave them: nothing is misread without a word."""

import json

import numpy as np
import pytest
from PIL import Image

from apps.vision.detection.annotations.convert import convert
from apps.vision.detection.annotations.reader import read_annotations
from apps.vision.detection.check import describe_data
from shared.common.errors import KerasuiteError
from tests.apps.vision.detection.test_annotations import (
    GOOD_ROW,
    NORMALISED,
    coco,
    only_box,
    problem,
    voc_object,
    write_image,
    write_json,
    write_voc,
    write_yolo,
)

COCO_BOX = [4, 2, 20, 10]


def boxes_by_path(data, root):
    return {image.path[len(str(root)) + 1 :]: len(image.boxes) for image in data.images}


# === Finding the picture ===


@pytest.mark.parametrize("folders", [("images/train", "images/val"), ("Train/Data", "Valid/Data")])
def test_equal_names_in_both_parts_take_the_picture_of_their_part(tmp_path, folders):
    for part, folder in zip(("train", "val"), folders, strict=True):
        write_image(tmp_path / folder / "0.jpg")
        content = coco([(0, "0.jpg")], [(0, 7, COCO_BOX)])
        write_json(tmp_path / "annotations" / f"instances_{part}2017.json", content)
    data = read_annotations([str(tmp_path)])
    assert {image.path: image.split for image in data.images} == {
        str(tmp_path / folders[0] / "0.jpg"): "train",
        str(tmp_path / folders[1] / "0.jpg"): "validation",
    }
    assert not data.problems and not data.notes


def test_a_picture_that_only_the_other_part_has_is_not_taken(tmp_path):
    for name in ("train/0.jpg", "train/1.jpg", "val/0.jpg"):
        write_image(tmp_path / name)
    rows = [(0, 7, COCO_BOX), (1, 7, COCO_BOX)]
    for part in ("train", "val"):
        content = coco([(0, "0.jpg"), (1, "1.jpg")], rows)
        write_json(tmp_path / f"instances_{part}.json", content)
    data = read_annotations([str(tmp_path)])
    assert boxes_by_path(data, tmp_path) == {"train/0.jpg": 1, "train/1.jpg": 1, "val/0.jpg": 1}
    problem(data, "images[1]", "no image '1.jpg' in the validation part", "train/1.jpg")


def test_a_tie_names_both_pictures(tmp_path):
    for name in ("x/0.jpg", "y/0.jpg", "x/1.jpg"):
        write_image(tmp_path / name)
    content = coco([(0, "0.jpg"), (1, "1.jpg")], [(0, 7, COCO_BOX), (1, 7, COCO_BOX)])
    write_json(tmp_path / "boxes.json", content)
    data = read_annotations([str(tmp_path)])
    assert boxes_by_path(data, tmp_path) == {"x/1.jpg": 1}
    problem(data, "images[0]", str(tmp_path / "x/0.jpg"), str(tmp_path / "y/0.jpg"))


@pytest.mark.parametrize("name", ["../secret.jpg", "{root}/secret.jpg", "a/../../secret.jpg"])
def test_names_do_not_lead_out_of_the_data(tmp_path, name):
    write_image(tmp_path / "secret.jpg")
    write_image(tmp_path / "data" / "a.jpg")
    name = name.format(root=tmp_path)
    content = coco([(0, "a.jpg"), (1, name)], [(0, 7, COCO_BOX), (1, 7, COCO_BOX)])
    write_json(tmp_path / "data" / "boxes.json", content)
    data = read_annotations([str(tmp_path / "data")])
    assert boxes_by_path(data, tmp_path / "data") == {"a.jpg": 1}
    problem(data, "images[1]", "no image", str(tmp_path / "data"))


def test_folders_behind_links_are_read_by_all_formats(tmp_path):
    disk = tmp_path / "disk"
    write_image(disk / "0.jpg")
    for name, images in (("voc", "JPEGImages"), ("coco", "images"), ("yolo", "images")):
        (tmp_path / name).mkdir()
        (tmp_path / name / images).symlink_to(disk, target_is_directory=True)
    write_voc(tmp_path / "voc" / "Annotations" / "0.xml", voc_object())
    write_json(tmp_path / "coco" / "boxes.json", coco([(0, "0.jpg")], [(0, 7, COCO_BOX)]))
    write_yolo(tmp_path / "yolo" / "labels" / "0.txt", GOOD_ROW)
    write_yolo(tmp_path / "yolo" / "classes.txt", "cat")
    for name in ("voc", "coco", "yolo"):
        data = read_annotations([str(tmp_path / name)])
        np.testing.assert_allclose(only_box(data), NORMALISED, atol=1e-6)
        assert not data.problems


def test_lists_name_pictures_of_another_machine(tmp_path):
    for name in ("0", "1"):
        write_image(tmp_path / "images" / f"{name}.jpg")
        write_yolo(tmp_path / "labels" / f"{name}.txt", GOOD_ROW)
    (tmp_path / "data.yaml").write_text("train: train.txt\nnames: [cat]\n")
    write_yolo(tmp_path / "train.txt", "data/images/0.jpg", r"D:\set\images\1.jpg")
    data = read_annotations([str(tmp_path / "data.yaml")])
    assert boxes_by_path(data, tmp_path) == {"images/0.jpg": 1, "images/1.jpg": 1}
    assert "2 image(s) are found without their first folders" in data.notes[0]


# === Boxes ===


def test_one_picture_listed_twice_has_the_boxes_of_both(tmp_path):
    write_image(tmp_path / "0.jpg")
    others = [20, 5, 10, 10]
    content = coco([(0, "0.jpg"), (1, "0.jpg")], [(0, 7, COCO_BOX), (1, 7, others)])
    write_json(tmp_path / "boxes.json", content)
    data = read_annotations([str(tmp_path)])
    assert boxes_by_path(data, tmp_path) == {"0.jpg": 2}
    assert "listed twice; its boxes are joined" in data.notes[0]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_yolo_means_the_picture_as_it_is_seen(tmp_path, orientation):
    """As Ultralytics, OpenCV and the label tools do; also through `convert`."""
    write_image(tmp_path / "data" / "0.jpg", orientation=orientation)
    write_yolo(tmp_path / "data" / "0.txt", GOOD_ROW)
    write_yolo(tmp_path / "data" / "classes.txt", "cat")
    data = read_annotations([str(tmp_path / "data")])
    np.testing.assert_allclose(only_box(data), NORMALISED, atol=1e-6)
    assert any("turned upright" in line for line in describe_data(data)[0]) == (orientation > 1)
    convert(data, tmp_path / "coco", "coco")
    again = read_annotations([str(tmp_path / "coco")])
    np.testing.assert_allclose(only_box(again), NORMALISED, atol=1e-6)
    convert(again, tmp_path / "yolo", "yolo")
    assert next((tmp_path / "yolo").rglob("labels/*.txt")).read_text().strip() == GOOD_ROW


def test_key_points_are_no_outline(tmp_path):
    """With `kpt_shape` the first five columns are class and box (Ultralytics' pose format)."""
    write_image(tmp_path / "0.jpg")
    points = "0.9 0.9 0.1 0.9 0.5 0.5"
    write_yolo(tmp_path / "0.txt", f"{GOOD_ROW} {points}")
    (tmp_path / "data.yaml").write_text("train: .\nnames: [cat]\nkpt_shape: [3, 2]\n")
    data = read_annotations([str(tmp_path / "data.yaml")])
    np.testing.assert_allclose(only_box(data), NORMALISED, atol=1e-6)
    assert "key points of 1 box(es) are left out" in data.notes[0]
    (tmp_path / "data.yaml").write_text("train: .\nnames: [cat]\n")
    data = read_annotations([str(tmp_path / "data.yaml")])
    assert "1 outline(s) are read as their bounding boxes" in data.notes[0]


def test_pictures_whose_objects_cannot_be_read_are_no_background(tmp_path):
    for name in ("good", "cut", "units", "none"):
        write_image(tmp_path / f"{name}.jpg")
    write_voc(tmp_path / "good.xml", voc_object())
    (tmp_path / "cut.xml").write_text("<annotation><object>")
    write_voc(tmp_path / "units.xml", voc_object(corners=(5, 3, "24px", 12)))
    data = read_annotations([str(tmp_path)])
    assert boxes_by_path(data, tmp_path) == {"good.jpg": 1, "none.jpg": 0}
    assert "2 image(s) are left out" in data.notes[0]
    problem(data, "cut.xml", "no XML")
    problem(data, "units.xml, object 1", "24px")


@pytest.mark.parametrize(
    "text",
    [
        "<a:annotation xmlns:a='x'>{}</a:annotation>",
        "<?xml version='1.0' encoding='gb2312'?><annotation>{}</annotation>",
    ],
)
def test_voc_with_name_spaces_and_chinese_encodings(tmp_path, text):
    write_image(tmp_path / "0.jpg")
    inner = voc_object(name="猫")
    inner = inner.replace("<", "<a:").replace("<a:/", "</a:") if "xmlns" in text else inner
    encoding = "gb2312" if "gb2312" in text else "utf-8"
    (tmp_path / "0.xml").write_bytes(text.format(inner).encode(encoding))
    data = read_annotations([str(tmp_path)])
    np.testing.assert_allclose(only_box(data), NORMALISED, atol=1e-6)
    assert data.class_names == ["猫"]


# === Names ===


def test_yaml_does_not_make_other_types_of_names(tmp_path):
    names = ["no", "yes", "007", "1e3", "2024-01-01", "null", "~"]
    write_image(tmp_path / "0.jpg")
    write_yolo(tmp_path / "0.txt", "6 0.35 0.35 0.5 0.5")
    (tmp_path / "data.yaml").write_text(f"train: .\nnames: [{', '.join(names)}]\n")
    assert read_annotations([str(tmp_path / "data.yaml")]).class_names == names


def test_blanks_around_names_go_and_numbers_stay(tmp_path):
    write_image(tmp_path / "0.jpg")
    categories = ((1, "crab\n"), (2, " eel\u2028"), (3, "ray"))
    content = coco([(0, "0.jpg")], [(0, 3, COCO_BOX)], categories)
    write_json(tmp_path / "boxes.json", content)
    data = read_annotations([str(tmp_path)])
    assert data.class_names == ["crab", "eel", "ray"]
    assert data.images[0].labels.tolist() == [2]


@pytest.mark.parametrize("names", ["['', cat]", '["a\\nb", cat]', "[cat, ' cat']"])
def test_empty_broken_and_double_names_are_refused(tmp_path, names):
    write_image(tmp_path / "0.jpg")
    write_yolo(tmp_path / "0.txt", GOOD_ROW)
    (tmp_path / "data.yaml").write_text(f"train: .\nnames: {names}\n")
    with pytest.raises(KerasuiteError, match=r"data\.yaml, names.*name"):
        read_annotations([str(tmp_path / "data.yaml")])


def test_aliases_of_aliases_are_refused_at_once(tmp_path):
    lines = ["a: &a0 [x]"] + [f"b{n}: &a{n} [{f'*a{n - 1},' * 9}]" for n in range(1, 12)]
    (tmp_path / "data.yaml").write_text("\n".join([*lines, "names: *a11\n"]))
    with pytest.raises(KerasuiteError, match=r"data\.yaml, line 2.*alias"):
        read_annotations([str(tmp_path / "data.yaml")])


# === Pictures ===


def test_what_pictures_lose_is_said(tmp_path):
    write_image(tmp_path / "0.jpg")
    write_yolo(tmp_path / "0.txt", GOOD_ROW)
    write_yolo(tmp_path / "classes.txt", "cat")
    Image.new("RGBA", (40, 20)).save(tmp_path / "alpha.png")
    Image.new("I;16", (40, 20)).save(tmp_path / "deep.png")
    (tmp_path / "phone.HEIC").write_bytes(b"x")
    contents = "\n".join(describe_data(read_annotations([str(tmp_path)]))[0])
    for words in ("1 image(s) are transparent", "1 image(s) have more than 8", "(1 .heic)"):
        assert words in contents, contents
    json.dumps(contents)

"""Readers of VOC, COCO and YOLO against boxes that are known, and against everything bad."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from apps.vision.detection.annotations.orientation import read_orientation, to_stored, to_upright
from apps.vision.detection.annotations.reader import read_annotations
from apps.vision.detection.annotations.split import split_images
from shared.common.errors import KerasuiteError
from shared.image.decode import decode_image
from shared.image.exif import jpeg_orientation

SIZE = (40, 20)
# Corners in pixels from 0: left, top, right and bottom edge.
BOX = (4, 2, 24, 12)
NORMALISED = [0.1, 0.1, 0.6, 0.6]


def write_image(path: Path, size=SIZE, orientation=1, box=BOX):
    """A grey picture of its own with a white rectangle at the box."""
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = sum(str(path).encode())
    pixels = np.full((size[1], size[0], 3), 20 + seed % 100, np.uint8)
    pixels[box[1] : box[3], box[0] : box[2]] = 255
    exif = Image.Exif()
    if orientation != 1:
        exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, quality=100, subsampling=0, exif=exif)
    return path


def voc_object(name="cat", corners=(5, 3, 24, 12)):
    tags = zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)
    inner = "".join(f"<{tag}>{value}</{tag}>" for tag, value in tags)
    return f"<object><name>{name}</name><bndbox>{inner}</bndbox></object>"


def write_voc(path: Path, *objects, size=SIZE, filename="?"):
    path.parent.mkdir(parents=True, exist_ok=True)
    head = f"<filename>{filename}</filename>"
    head += f"<size><width>{size[0]}</width><height>{size[1]}</height></size>" if size else ""
    path.write_text(f"<annotation>{head}{''.join(objects)}</annotation>")


def coco(images, annotations, categories=((7, "cat"),)):
    return {
        "images": [
            {"id": key, "file_name": name, "width": SIZE[0], "height": SIZE[1]}
            for key, name in images
        ],
        "annotations": [
            {"id": n, "image_id": i, "category_id": c, "bbox": box} | rest
            for n, (i, c, box, *more) in enumerate(annotations)
            for rest in [more[0] if more else {}]
        ],
        "categories": [{"id": key, "name": name} for key, name in categories],
    }


def write_json(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def write_yolo(path: Path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{row}\n" for row in rows))


GOOD_ROW = "0 0.35 0.35 0.5 0.5"


def only_box(data):
    (image,) = [image for image in data.images if len(image.boxes)]
    assert image.boxes.shape == (1, 4)
    assert image.boxes.dtype == np.float32 and image.labels.dtype == np.int32
    return image.boxes[0]


def problem(data, *words):
    """The one problem that holds all words."""
    (line,) = [line for line in data.problems if all(word in line for word in words)]
    return line


# === The three formats ===


def test_voc_counts_from_one_and_has_its_own_split(tmp_path):
    for name in ("a", "b", "c"):
        write_image(tmp_path / "JPEGImages" / f"{name}.jpg")
    write_voc(tmp_path / "Annotations" / "a.xml", voc_object())
    write_yolo(tmp_path / "ImageSets" / "Main" / "train.txt", "a")
    write_yolo(tmp_path / "ImageSets" / "Main" / "val.txt", "b", "gone")
    data = read_annotations([str(tmp_path)])
    np.testing.assert_allclose(only_box(data), NORMALISED, atol=1e-6)
    assert data.class_names == ["cat"]
    assert [image.split for image in data.images] == ["train", "validation"]
    problem(data, "val.txt, line 2", "gone")
    assert "1 image(s) are in neither" in data.notes[0]


def test_voc_in_one_folder_and_in_folders_of_splits(tmp_path):
    write_image(tmp_path / "flat" / "a.jpg")
    write_voc(tmp_path / "flat" / "a.xml", voc_object())
    np.testing.assert_allclose(
        only_box(read_annotations([str(tmp_path / "flat")])), NORMALISED, atol=1e-6
    )
    for part in ("train", "valid"):
        write_image(tmp_path / "parts" / part / "same.jpg")
        write_voc(tmp_path / "parts" / part / "same.xml", voc_object())
    data = read_annotations([str(tmp_path / "parts")])
    assert [image.split for image in data.images] == ["train", "validation"]
    assert not data.problems


def test_coco_ids_have_gaps_and_may_be_zero(tmp_path):
    write_image(tmp_path / "train" / "a.jpg")
    write_image(tmp_path / "val" / "a.jpg")
    names = ((0, "dog"), (9, "cat"))
    crowd = (3, 0, [0, 0, 40, 20], {"iscrowd": 1})
    train = coco([(3, "a.jpg")], [(3, 9, [4, 2, 20, 10]), crowd], names)
    write_json(tmp_path / "annotations" / "instances_train.json", train)
    write_json(tmp_path / "annotations" / "instances_val.json", coco([(3, "a.jpg")], [], names))
    write_json(tmp_path / "annotations" / "captions_train.json", {"images": []})
    data = read_annotations([str(tmp_path)])
    assert data.class_names == ["dog", "cat"]
    train, val = data.images
    assert (train.split, val.split) == ("train", "validation")
    assert "/train/" in train.path and "/val/" in val.path
    np.testing.assert_allclose(train.boxes, [NORMALISED, [0, 0, 1, 1]], atol=1e-6)
    assert train.labels.tolist() == [1, 0] and train.crowd.tolist() == [False, True]
    assert val.boxes.shape == (0, 4)
    assert not data.problems


def test_coco_beside_the_images_as_roboflow_writes_it(tmp_path):
    for part in ("train", "valid", "test"):
        write_image(tmp_path / part / "a.jpg")
        write_json(
            tmp_path / part / "_annotations.coco.json",
            coco([(0, "a.jpg")], [(0, 7, [4, 2, 20, 10])]),
        )
    data = read_annotations([str(tmp_path)])
    assert [image.split for image in data.images] == ["train", "validation"]
    assert "test part" in data.notes[0]


@pytest.mark.parametrize("names", [["cat", "dog"], {0: "cat", 1: "dog"}])
@pytest.mark.parametrize(
    "entries", [("images/train", "images/val"), ("../images/train", "val.txt")]
)
def test_yolo_with_a_data_yaml(tmp_path, names, entries):
    for part in ("train", "val"):
        write_image(tmp_path / "images" / part / "a.jpg")
    write_yolo(tmp_path / "labels" / "train" / "a.txt", GOOD_ROW)
    write_yolo(tmp_path / "val.txt", "./images/val/a.jpg")
    content = {"train": entries[0], "val": entries[1], "names": names, "nc": 2}
    (tmp_path / "data.yaml").write_text(json.dumps(content) if isinstance(names, list) else "")
    if isinstance(names, dict):
        lines = f"train: {entries[0]}\nval: [{entries[1]}]\nnames:\n  0: cat\n  1: dog\n"
        (tmp_path / "data.yaml").write_text(lines)
    for path in (tmp_path, tmp_path / "data.yaml"):
        data = read_annotations([str(path)])
        assert data.class_names == ["cat", "dog"]
        assert [image.split for image in data.images] == ["train", "validation"]
        np.testing.assert_allclose(only_box(data), NORMALISED, atol=1e-6)
        assert not data.problems


def test_yolo_without_yaml_and_polygons(tmp_path):
    write_image(tmp_path / "a.jpg")
    write_image(tmp_path / "background.jpg")
    write_yolo(tmp_path / "classes.txt", "cat")
    write_yolo(tmp_path / "a.txt", "0 0.1 0.1 0.6 0.3 0.3 0.6")
    data = read_annotations([str(tmp_path)])
    np.testing.assert_allclose(only_box(data), NORMALISED, atol=1e-6)
    assert len(data.images) == 2 and not data.problems
    (tmp_path / "classes.txt").unlink()
    data = read_annotations([str(tmp_path)])
    assert data.class_names == ["0"]
    problem(data, "named by number")


def test_paths_of_several_formats_share_their_classes(tmp_path):
    write_image(tmp_path / "v" / "a.jpg")
    write_voc(tmp_path / "v" / "a.xml", voc_object("dog"))
    write_image(tmp_path / "c" / "b.jpg")
    write_json(tmp_path / "c" / "all.json", coco([(1, "b.jpg")], [(1, 7, [4, 2, 20, 10])]))
    data = read_annotations([str(tmp_path / "v"), str(tmp_path / "c" / "all.json")])
    assert data.class_names == ["dog", "cat"]
    assert [image.labels.tolist() for image in data.images] == [[0], [1]]


# === EXIF ===


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_turn_as_the_pixels_do(tmp_path, orientation):
    """The white rectangle of the upright picture is where the box says."""
    path = write_image(tmp_path / "a.jpg", orientation=orientation)
    write_voc(tmp_path / "a.xml", voc_object())
    (image,) = read_annotations([str(tmp_path)]).images
    pixels = decode_image(tf.constant(path.read_bytes())).numpy()
    assert pixels.shape[:2] == (image.height, image.width)
    rows, columns = np.nonzero(pixels[..., 0] > 240)
    edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    unit = np.array([image.width, image.height] * 2)
    np.testing.assert_allclose(image.boxes[0] * unit, edges, atol=1e-4)
    boxes = np.random.default_rng(0).uniform(0, 1, (5, 4))
    np.testing.assert_allclose(to_stored(to_upright(boxes, orientation), orientation), boxes)
    assert read_orientation(path, True) == int(jpeg_orientation(tf.constant(path.read_bytes())))


def test_the_stated_size_tells_that_boxes_are_upright_already(tmp_path):
    """Stored 40 x 20, shown 20 x 40; this tool annotated what it showed."""
    write_image(tmp_path / "a.jpg", orientation=6)
    write_voc(tmp_path / "a.xml", voc_object(corners=(3, 5, 12, 24)), size=(20, 40))
    np.testing.assert_allclose(only_box(read_annotations([str(tmp_path)])), NORMALISED, atol=1e-6)


def test_an_image_resized_after_annotation(tmp_path):
    write_image(tmp_path / "a.jpg")
    write_voc(tmp_path / "a.xml", voc_object(corners=(9, 5, 48, 24)), size=(80, 40))
    data = read_annotations([str(tmp_path)])
    np.testing.assert_allclose(only_box(data), NORMALISED, atol=1e-6)
    problem(data, "80 x 40", "40 x 20")


# === Bad input ===

BAD_YOLO = {
    "0 0.5 0.5 0.5": "4 numbers; expected 5",
    "0 nan 0.5 0.5 0.5": "not finite",
    "0 0.5 0.5 -0.5 0.5": "negative",
    "0 0.5 0.5 0 0.5": "negative",
    "3 0.5 0.5 0.5 0.5": "class 3",
    "-1 0.5 0.5 0.5 0.5": "no class number",
    "nan 0.5 0.5 0.5 0.5": "no class number",
    "0.5 0.5 0.5 0.5 0.5": "no class number",
    "cat 0.5 0.5 0.5 0.5": "no number",
    "0 1.5 1.5 0.5 0.5": "outside",
    "0 1e999 0.5 0.5 0.5": "not finite",
    GOOD_ROW: "twice",
}


@pytest.mark.parametrize(("row", "reason"), BAD_YOLO.items())
def test_a_bad_yolo_row_is_named_and_the_rest_stays(tmp_path, row, reason):
    write_image(tmp_path / "a.jpg")
    write_yolo(tmp_path / "classes.txt", "cat", "dog")
    write_yolo(tmp_path / "a.txt", GOOD_ROW, row)
    data = read_annotations([str(tmp_path)])
    np.testing.assert_allclose(only_box(data), NORMALISED, atol=1e-6)
    problem(data, f"{tmp_path}/a.txt, line 2:", reason)


BAD_COCO = {
    "image": ([99, 7, [1, 1, 5, 5]], "image_id 99"),
    "category": ([1, 99, [1, 1, 5, 5]], "category_id 99"),
    "nan": ([1, 7, [1, math.nan, 5, 5]], "not finite"),
    "negative": ([1, 7, [1, 1, -5, 5]], "negative"),
    "zero": ([1, 7, [1, 1, 0, 5]], "negative"),
    "three": ([1, 7, [1, 1, 5]], "four numbers"),
    "text": ([1, 7, "box"], "four numbers"),
    "huge": ([1, 7, [10**400, 1, 1, 1]], "four numbers"),
    "outside": ([1, 7, [50, 1, 5, 5]], "outside"),
}


@pytest.mark.parametrize(("row", "reason"), BAD_COCO.values(), ids=BAD_COCO)
def test_a_bad_coco_row_is_named_and_the_rest_stays(tmp_path, row, reason):
    write_image(tmp_path / "a.jpg")
    write_json(tmp_path / "t.json", coco([(1, "a.jpg")], [(1, 7, [4, 2, 20, 10]), tuple(row)]))
    data = read_annotations([str(tmp_path)])
    np.testing.assert_allclose(only_box(data), NORMALISED, atol=1e-6)
    problem(data, f"{tmp_path}/t.json, annotations[1]:", reason)


def test_a_box_over_the_edge_is_clipped_and_named(tmp_path):
    write_image(tmp_path / "a.jpg")
    write_voc(tmp_path / "a.xml", voc_object(corners=(5, 3, 60, 12)))
    data = read_annotations([str(tmp_path)])
    np.testing.assert_allclose(only_box(data), [0.1, 0.1, 1.0, 0.6], atol=1e-6)
    problem(data, "a.xml, object 1:", "clipped")


def test_bad_files_are_named_and_the_rest_stays(tmp_path):
    write_image(tmp_path / "good.jpg")
    write_voc(tmp_path / "good.xml", voc_object(), voc_object(corners=(5, 3, 5, 12)))
    write_voc(tmp_path / "alone.xml", voc_object())
    write_image(tmp_path / "text.jpg")
    (tmp_path / "text.xml").write_text("no xml")
    write_image(tmp_path / "other.jpg")
    (tmp_path / "other.xml").write_text("<svg/>")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    write_voc(tmp_path / "broken.xml", voc_object())
    (tmp_path / "copy.jpg").write_bytes((tmp_path / "good.jpg").read_bytes())
    data = read_annotations([str(tmp_path)])
    only_box(data)
    problem(data, "good.xml, object 2", "negative")
    problem(data, "alone.xml", "annotation without image")
    problem(data, "text.xml", "no XML")
    problem(data, "other.xml", "<svg>")
    problem(data, "broken.jpg", "1 box(es) are left out")
    problem(data, "same content")
    assert len(data.problems) == 6


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused(tmp_path, encoding):
    write_image(tmp_path / "good.jpg")
    write_voc(tmp_path / "good.xml", voc_object())
    bomb = '<!DOCTYPE a [<!ENTITY b "x"><!ENTITY c SYSTEM "file:///etc/passwd">]><annotation/>'
    (tmp_path / "bad.xml").write_bytes(bomb.encode(encoding))
    problem(read_annotations([str(tmp_path)]), "bad.xml", "document type")


def test_yaml_makes_no_objects(tmp_path):
    (tmp_path / "data.yaml").write_text("names: !!python/object/apply:os.system ['true']\n")
    with pytest.raises(KerasuiteError, match="no YAML of plain values"):
        read_annotations([str(tmp_path)])


def test_sizes_from_one_pixel_to_too_many(tmp_path):
    write_image(tmp_path / "one.jpg", (1, 1), box=(0, 0, 1, 1))
    write_image(tmp_path / "large.jpg", (300, 200))
    write_yolo(tmp_path / "one.txt", "0 0.5 0.5 1 1")
    write_yolo(tmp_path / "large.txt", GOOD_ROW)
    data = read_annotations([str(tmp_path)], max_pixels=50_000)
    np.testing.assert_allclose(only_box(data), [0, 0, 1, 1])
    problem(data, "large.jpg", "--max-pixels")


def test_nothing_useful_is_one_line(tmp_path):
    with pytest.raises(KerasuiteError, match="no such file"):
        read_annotations([str(tmp_path / "gone")])
    with pytest.raises(KerasuiteError, match="no annotations found"):
        read_annotations([str(tmp_path)])
    (tmp_path / "a.xml").write_text("no xml")
    with pytest.raises(KerasuiteError, match=r"no usable box; the first problem: .*a\.xml"):
        read_annotations([str(tmp_path)])
    with pytest.raises(KerasuiteError, match="--annotations pascal"):
        read_annotations([str(tmp_path)], "pascal")
    (tmp_path / "t.json").write_text("{")
    with pytest.raises(KerasuiteError, match="is no JSON"):
        read_annotations([str(tmp_path / "t.json")])


# === Splits ===


def test_the_split_depends_on_neither_order_nor_folder(tmp_path):
    held_out = []
    for folder in ("here", "there/deep"):
        for number in range(20):
            write_image(tmp_path / folder / f"{number}.png")
            write_yolo(tmp_path / folder / f"{number}.txt", GOOD_ROW)
        data = read_annotations([str(tmp_path / folder)])
        for images in (data.images, data.images[::-1]):
            data.images = images
            split = split_images(data, 0.2, seed=3)
            assert [i.path for i in split] == [i.path for i in images]
            held_out.append({Path(i.path).name for i in split if i.split == "validation"})
    assert len(held_out[0]) == 4 and all(names == held_out[0] for names in held_out)
    other = split_images(data, 0.2, seed=4)
    assert {Path(i.path).name for i in other if i.split == "validation"} != held_out[0]


def test_a_part_without_a_box_is_said_before_the_training(tmp_path):
    for part in ("train", "val"):
        write_image(tmp_path / "images" / part / "a.png")
    write_yolo(tmp_path / "labels" / "train" / "a.txt", GOOD_ROW)
    (tmp_path / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [cat]\n")
    data = read_annotations([str(tmp_path)])
    with pytest.raises(KerasuiteError, match="the validation part has no box"):
        split_images(data, 0.2, seed=3)


def test_areas_are_those_of_the_file(tmp_path):
    write_image(tmp_path / "a.jpg")
    boxes = [(3, 9, [4, 2, 20, 10], {"area": 123.5}), (3, 9, [1, 2, 20, 10], {"area": "x"})]
    write_json(tmp_path / "a.json", coco([(3, "a.jpg")], boxes, ((9, "cat"),)))
    assert read_annotations([str(tmp_path)]).images[0].areas.tolist() == [123.5, 0.0]


# === Real data ===


def test_coco_and_yolo_files_of_the_same_images_agree(real_data):
    folder = real_data / "coco128_part"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    by_format = {name: read_annotations([str(folder)], name) for name in ("coco", "yolo")}
    first, second = by_format.values()
    assert first.class_names == second.class_names
    assert [i.path for i in first.images] == [i.path for i in second.images]
    assert not first.problems and not second.problems
    for a, b in zip(first.images, second.images, strict=True):
        keep = ~a.crowd
        assert sorted(a.labels[keep]) == sorted(b.labels)
        unit = np.array([a.width, a.height] * 2)
        rows = [
            sorted((label, *box) for label, box in zip(labels, boxes * unit, strict=True))
            for labels, boxes in ((a.labels[keep], a.boxes[keep]), (b.labels, b.boxes))
        ]
        np.testing.assert_allclose(*rows, atol=0.02)

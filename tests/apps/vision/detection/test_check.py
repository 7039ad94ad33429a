"""`check`: counts that are known, and drawings of every size."""

import numpy as np
import pytest
from PIL import Image

from apps.vision.detection.annotations.image_boxes import DetectionData, ImageBoxes
from apps.vision.detection.check import describe_data, draw_samples
from apps.vision.detection.draw import class_colour, draw_boxes


def image_boxes(path, sides, labels, split):
    """Boxes of the given sides in pixels at the corner of an image of 200 x 100."""
    boxes = np.array([[0, 0, w / 200, h / 100] for w, h in sides], np.float32).reshape(-1, 4)
    labels = np.array(labels, np.int32)
    crowd = np.zeros(len(labels), bool)
    return ImageBoxes(str(path), 200, 100, boxes, labels, crowd, split=split)


def test_contents_and_problems():
    data = DetectionData(
        ["cat", "dog", "owl"],
        [
            image_boxes("a", [(10, 10), (31, 33), (32, 32)], [0, 0, 1], "train"),
            image_boxes("b", [(150, 90)], [0], "validation"),
            image_boxes("c", [], [], "train"),
        ],
        ["a.txt, line 3: bad"],
    )
    contents, problems = describe_data(data)
    assert contents[:2] == ["3 images, 1 of them without boxes", "4 boxes"]
    assert contents[3:6] == ["  cat: 3", "  dog: 1", "  owl: 0"]
    assert "boxes per image: 0 to 3, mean 1.3" in contents
    (sizes,) = [line for line in contents if line.startswith("sizes")]
    assert sizes.endswith("small (below 32 x 32 pixels) 2, medium 1, large (from 96 x 96 pixels) 1")
    assert "split: train 2, validation 1" in contents
    assert problems == [
        "a.txt, line 3: bad",
        "classes without a box: owl",
        "classes without a box in the validation part: dog",
    ]


def test_edges_are_drawn_at_the_box():
    image = np.zeros((100, 200, 3), np.uint8)
    drawn = draw_boxes(image, np.array([[0.25, 0.5, 0.75, 0.9]]), ["cat"], class_names=["cat"])
    colour = class_colour("cat", ["cat"])
    for row, column in ((60, 50), (60, 149), (89, 100), (89, 149)):
        assert tuple(drawn[row, column]) == colour
    assert not drawn[70:80, 60:140].any() and not drawn[91:].any()
    assert not image.any() and drawn.dtype == np.uint8


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (3, 3), (3000, 4000)])
def test_any_size_can_be_drawn(size):
    boxes = np.array([[0, 0, 1, 1], [0.5, 0.5, 0.5, 0.5], [0.9, 0.9, 2, 2], [np.nan, 0, 1, 1]])
    image = np.zeros((*size, 3), np.uint8)
    drawn = draw_boxes(image, boxes, ["a", "b", "c", "d"], scores=[0.1, 0.2, 0.3, 1])
    assert drawn.shape == image.shape and drawn.any()
    assert not draw_boxes(image, np.zeros((0, 4)), []).any()


def test_colours_of_classes_differ():
    names = [f"class {n}" for n in range(80)]
    assert len({class_colour(name, names) for name in names}) == 80
    assert class_colour("cat") == class_colour("cat")


def test_samples_are_written_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (200, 100)).save(tmp_path / "a.jpg", exif=exif)
    boxes = image_boxes(tmp_path / "a.jpg", [(50, 50)], [0], "")
    files = draw_samples(DetectionData(["cat"], [boxes]), tmp_path / "out", 5)
    assert [file.name for file in files] == ["sample-00-a.jpg"]
    assert Image.open(files[0]).size == (100, 200)

"""Pages of predictions, of each task: thumbnails, names, labels, boxes, results."""

import io

import numpy as np
import pytest
from PIL import Image

from apps.generative.cyclegan.predictor import TranslationPredictor
from apps.generative.srgan.predictor import SuperResolutionPredictor
from apps.vision.classification.predictor import ClassificationPredictor
from apps.vision.detection.draw import class_colour
from apps.vision.detection.predictor import PAGE_SIDE, DetectionPredictor
from shared.common.errors import KerasuiteError
from shared.common.inputs import Source
from shared.image.thumbnail import SIDE, thumbnail


@pytest.fixture
def source(tmp_path):
    """A picture of 600 x 300 pixels, stored on its side; its upper half is red."""
    pixels = np.zeros((300, 600, 3), np.uint8)
    pixels[:150, :, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = Image.fromarray(pixels).transpose(Image.Transpose.ROTATE_90)
    turned.save(tmp_path / "a&b.jpg", exif=exif, quality=95)
    return Source("a&b.jpg", tmp_path / "a&b.jpg")


def opened(picture):
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(int)


def test_a_thumbnail_is_upright_and_small(source):
    pixels = np.asarray(thumbnail(source.path)).astype(int)
    assert pixels.shape == (SIDE // 2, SIDE, 3)
    assert pixels[:35, :, 0].min() > 200 > 60 > pixels[45:, :, 0].max()


def test_a_classified_picture_has_its_label(source, tmp_path):
    row = {"file": "a&b.jpg", "label": "<cat>", "score": 0.976}
    ((picture, caption),) = ClassificationPredictor(["<cat>"], 10**6).pictures(
        row, source, tmp_path
    )
    assert opened(picture).shape == (SIDE // 2, SIDE, 3)
    assert caption == "a&b.jpg\n<cat> (98%)"


def test_found_boxes_are_drawn(source, tmp_path):
    found = {"label": "cat", "class": 0, "score": 0.9, "box": [150.0, 200.0, 450.0, 280.0]}
    row = {"file": "a&b.jpg", "width": 600, "height": 300, "detections": [found, found]}
    predictor = DetectionPredictor(["cat"], 10**6)
    ((picture, caption),) = predictor.pictures(row, source, tmp_path)
    pixels, factor = opened(picture), PAGE_SIDE / 600
    assert pixels.shape == (PAGE_SIDE // 2, PAGE_SIDE, 3) and caption == "a&b.jpg\n2 cat"
    colour = np.array(class_colour("cat", ["cat"]))
    edge, inside = pixels[int(240 * factor), int(150 * factor)], pixels[int(240 * factor), 240]
    assert np.abs(edge - colour).max() < 60 < np.abs(inside - colour).max()
    nothing = predictor.pictures(row | {"detections": []}, source, tmp_path)
    assert nothing[0][1].endswith("nothing found")


@pytest.mark.parametrize(
    "predictor", [TranslationPredictor(10**6), SuperResolutionPredictor(10**6)]
)
def test_results_stand_beside_their_inputs(source, tmp_path, predictor):
    row = {"file": "a&b.jpg", "image": "a&b.png", "width": 1200, "height": 600}
    (before, name), (after, size) = predictor.pictures(row, source, tmp_path)
    assert opened(before).shape[1] == 480 and name == "a&b.jpg"
    assert after == tmp_path / "a&b.png" and size == "a&b.png\n1200 x 600 pixels"


def test_standard_input_has_no_picture(tmp_path):
    row = {"file": "stdin", "label": "cat", "score": 1.0}
    with pytest.raises(KerasuiteError):
        ClassificationPredictor(["cat"], 10**6).pictures(row, Source("stdin", None), tmp_path)

"""Tiled detection with an exact detector of rectangles, against where they were painted."""

import io

import numpy as np
import pytest
import scipy.ndimage
from PIL import Image

from apps.vision.detection.prediction import tiles
from apps.vision.detection.prediction.tile_merge import Found, box_iou, merge, suppress
from apps.vision.detection.prediction.tiles import WHOLE_SIDE, detect_tiled, tile_views

COLOURS = np.array([[255, 0, 0], [0, 0, 255]], np.uint8)  # of class 0 and class 1
GREY = 114


def paint(height, width, rectangles):
    """An image with rectangles (x1, y1, x2, y2, class)."""
    image = np.full((height, width, 3), GREY, np.uint8)
    for x1, y1, x2, y2, number in rectangles:
        image[y1:y2, x1:x2] = COLOURS[number]
    return image


class ExactDetector:
    """Finds every connected patch of a colour; patches of a few pixels are too small for it."""

    def __init__(self):
        self.calls = []
        self.random = np.random.default_rng(0)

    def __call__(self, images):
        self.calls.append([Image.open(io.BytesIO(data)).size for data in images])
        return [self.one(np.asarray(Image.open(io.BytesIO(data)))) for data in images]

    def one(self, image):
        height, width = image.shape[:2]
        boxes, classes = [], []
        for number, colour in enumerate(COLOURS):
            is_colour = (np.abs(image.astype(int) - colour) < 90).all(axis=-1)
            for rows, columns in scipy.ndimage.find_objects(scipy.ndimage.label(is_colour)[0]):
                size = min(rows.stop - rows.start, columns.stop - columns.start)
                if size >= 4:
                    boxes.append([columns.start, rows.start, columns.stop, rows.stop])
                    classes.append(number)
        boxes = np.array(boxes, np.float32).reshape(-1, 4) / [width, height, width, height]
        # The scores say nothing: pieces may well have better ones than whole objects.
        scores = self.random.uniform(0.3, 1.0, len(boxes)).astype("float32")
        return Found(boxes.astype("float32"), scores, np.array(classes, np.int32))


def found_in(image, detector=None, tile=128, overlap=0.25, iou=0.5, max_detections=300):
    found = detect_tiled(
        image,
        detector or ExactDetector(),
        tile=tile,
        overlap=overlap,
        iou=iou,
        max_detections=max_detections,
    )
    height, width = image.shape[:2]
    return found._replace(boxes=found.boxes * [width, height, width, height])


def assert_exactly(found, rectangles, atol):
    """Each rectangle is found once, and nothing else."""
    truth = sorted((number, x1, y1, x2, y2) for x1, y1, x2, y2, number in rectangles)
    got = sorted(
        (int(n), *map(float, box)) for box, n in zip(found.boxes, found.classes, strict=True)
    )
    assert len(got) == len(truth), (got, truth)
    for one in truth:
        assert min(np.abs(np.subtract(one, other)).max() for other in got) <= atol, (one, got)


@pytest.mark.parametrize("size", [(50, 60), (128, 128), (129, 128), (1000, 333), (1, 4000)])
@pytest.mark.parametrize("overlap", [0.0, 0.2, 0.5, 0.9])
def test_tiles_cover_the_image_and_overlap_enough(size, overlap):
    height, width = size
    views = tile_views(height, width, 128, overlap)
    covered = np.zeros(size, int)
    for x1, y1, x2, y2 in views:
        assert (x2 - x1, y2 - y1) == (min(128, width), min(128, height))
        assert min(x1, y1) >= 0 and x2 <= width and y2 <= height
        covered[y1:y2, x1:x2] += 1
    assert covered.min() >= 1 and len(set(views)) == len(views)
    starts = sorted({x1 for x1, *_ in views})
    assert all(
        after - before <= 128 * (1 - overlap) + 1
        for before, after in zip(starts, starts[1:], strict=False)
    )


def test_objects_at_borders_are_found_once():
    # Tiles of 128 with a quarter of overlap start at 0, 91, 181, 272 (width 400).
    rectangles = [
        (5, 5, 25, 25, 0),  # inside one tile
        (100, 10, 125, 30, 0),  # inside the strip that two tiles share
        (110, 50, 150, 80, 1),  # cut by the first tile, whole in the second
        (85, 100, 95, 180, 0),  # at a corner of four
        (150, 120, 390, 126, 1),  # longer than a tile
        (200, 200, 202, 203, 0),  # too small for the detector
        (10, 150, 60, 290, 1),  # higher than a tile
        (300, 200, 399, 299, 0),  # ends one pixel before the image's border
    ]
    found = found_in(paint(300, 400, rectangles))
    assert_exactly(found, [r for r in rectangles if r[0] != 200], atol=1.5)
    assert (np.diff(found.scores) <= 0).all()


def test_an_object_that_no_view_shows_whole_is_put_together():
    rectangles = [(20, 40, 380, 70, 0), (60, 90, 90, 290, 1), (150, 100, 390, 290, 0)]
    detector = ExactDetector()
    see = detector.one
    # It sees nothing in the view of the whole image.
    detector.one = lambda image: see(image if max(image.shape[:2]) <= 128 else image * 0)
    found = found_in(paint(300, 400, rectangles), detector)
    assert_exactly(found, rectangles, atol=1)


@pytest.mark.parametrize("seed", range(12))
def test_random_layouts(seed):
    random = np.random.default_rng(seed)
    height, width = random.integers(300, 700, 2)
    taken, rectangles = np.zeros((height, width), bool), []
    for _ in range(60):
        w, h = np.exp(random.uniform(np.log(10), np.log(260), 2)).astype(int)
        x, y = random.integers(0, max(1, width - w)), random.integers(0, max(1, height - h))
        around = np.s_[max(0, y - 6) : y + h + 6, max(0, x - 6) : x + w + 6]
        if x + w <= width and y + h <= height and not taken[around].any():
            taken[around] = True
            rectangles.append((int(x), int(y), int(x + w), int(y + h), int(random.integers(2))))
    found = found_in(paint(height, width, rectangles), tile=160, overlap=0.25)
    assert_exactly(found, rectangles, atol=3)


def test_neighbours_at_a_border_stay_two():
    # Both are cut by the border at x = 128 and overlap little: no piece of one explains the other.
    rectangles = [(100, 20, 140, 50, 0), (100, 60, 140, 90, 0), (100, 100, 110, 140, 0)]
    assert_exactly(found_in(paint(200, 300, rectangles)), rectangles, atol=1)


def test_classes_do_not_suppress_each_other():
    views = [(0, 0, 100, 100)]
    boxes = np.array([[10, 10, 50, 50], [11, 10, 50, 50], [10, 10, 50, 51]], np.float32)
    found = Found(boxes, np.array([0.5, 0.9, 0.7], np.float32), np.array([0, 0, 1]))
    merged = merge([found], views, (100, 100), 0.5, 10)
    assert merged.classes.tolist() == [0, 1] and merged.scores.tolist() == [
        np.float32(0.9),
        np.float32(0.7),
    ]
    assert len(merge([found], views, (100, 100), 0.5, 1).scores) == 1


def test_suppress_is_greedy_suppression():
    random = np.random.default_rng(1)
    corners = random.uniform(0, 80, (200, 2))
    boxes = np.concatenate([corners, corners + random.uniform(5, 30, (200, 2))], axis=1)
    kept = []
    for index, box in enumerate(boxes):
        if not kept or (box_iou(box, boxes[kept]) <= 0.4).all():
            kept.append(index)
    assert suppress(boxes, 0.4).tolist() == kept
    a, b = np.array([0, 0, 10, 10.0]), np.array([[5, 0, 15, 10.0], [20, 20, 30, 30], [0, 0, 0, 0]])
    np.testing.assert_allclose(box_iou(a, b), [1 / 3, 0, 0])


def test_nothing_found_and_no_more_than_a_bounded_number_at_once(monkeypatch):
    detector = ExactDetector()
    found = found_in(paint(1500, 2500, []), detector, tile=320, overlap=0.2)
    assert found.boxes.shape == (0, 4) and len(found.scores) == 0
    assert detector.calls[0] == [(WHOLE_SIDE, WHOLE_SIDE * 3 // 5)]
    assert all(len(call) <= 16 for call in detector.calls)
    assert max(map(len, detector.calls)) == 16
    assert {size for call in detector.calls[1:] for size in call} == {(320, 320)}
    monkeypatch.setattr(tiles, "PIXELS_OF_CALL", 2 * 320**2 + 1)
    detector = ExactDetector()
    found_in(paint(1500, 2500, []), detector, tile=320, overlap=0.2)
    assert max(map(len, detector.calls)) == 2


def test_tiles_are_the_pixels_of_the_image():
    image = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    seen = []

    def look(images):
        seen.extend(np.asarray(Image.open(io.BytesIO(data))) for data in images)
        return [ExactDetector().one(np.zeros((9, 9, 3)))] * len(images)

    found_in(image, look)
    views = [(0, 0, 300, 200), *tile_views(200, 300, 128, 0.25)]
    for (x1, y1, x2, y2), pixels in zip(views, seen, strict=True):
        np.testing.assert_array_equal(pixels, image[y1:y2, x1:x2])

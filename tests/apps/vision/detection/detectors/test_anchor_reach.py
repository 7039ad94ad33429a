"""The share of boxes that anchors reach, against all anchors one by one."""

import numpy as np

from apps.vision.detection.annotations.image_boxes import ImageBoxes
from apps.vision.detection.detectors.anchor_reach import (
    describe_reach,
    reached_by_faster_rcnn,
    reached_by_ssd,
    reached_by_yolo,
)
from apps.vision.detection.detectors.faster_rcnn.anchors import anchor_boxes
from apps.vision.detection.detectors.ssd.default_boxes import default_boxes, paper_shapes
from apps.vision.detection.detectors.yolo.anchor_points import anchor_points
from shared.losses import pairwise_box_iou


def random_boxes(count, largest=0.4):
    generator = np.random.default_rng(0)
    centres, sides = generator.uniform(0, 1, (count, 2)), generator.uniform(0, largest, (count, 2))
    return np.concatenate([centres - sides / 2, centres + sides / 2], axis=1).astype("float32")


def test_anchor_points_inside():
    boxes = random_boxes(400, largest=0.15)
    points = np.asarray(anchor_points(96, 96)[0]) / 96
    inside = (points >= boxes[:, None, :2]) & (points <= boxes[:, None, 2:])
    expected = inside.all(axis=2).any(axis=1)
    assert 0.2 < expected.mean() < 0.9
    np.testing.assert_array_equal(reached_by_yolo(boxes, 96), expected)


def test_default_boxes_that_overlap():
    boxes = random_boxes(400)
    overlaps = np.asarray(pairwise_box_iou(boxes, default_boxes(64, 64, paper_shapes())))
    expected = overlaps.max(axis=1) > 0.5
    assert 0.2 < expected.mean() < 0.9
    np.testing.assert_array_equal(reached_by_ssd(boxes, 64), expected)


def test_anchors_that_overlap():
    boxes = random_boxes(400, largest=1.0)
    overlaps = np.asarray(pairwise_box_iou(boxes, anchor_boxes(96, 96, 2.0)))
    expected = overlaps.max(axis=1) > 0.5
    assert 0.2 < expected.mean() < 0.9
    np.testing.assert_array_equal(reached_by_faster_rcnn(boxes, 96, 2.0), expected)


def image(boxes, crowd=None):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    crowd = np.zeros(len(boxes), bool) if crowd is None else np.array(crowd)
    return ImageBoxes("a.jpg", 200, 100, boxes, np.zeros(len(boxes), np.int32), crowd)


def test_lines_for_people():
    # In the square the first box is 64 x 64 pixels at its middle, the second one less than one.
    images = [
        image([[0.4, 0.3, 0.6, 0.7], [0.5, 0.5, 0.501, 0.501], [0, 0, 1, 1]], [False, False, True]),
        image([]),
    ]
    lines = describe_reach(images, 320)
    assert lines[0].startswith("at 320 pixels, boxes in reach of yolo: 50.0% (")
    assert lines[1].startswith("at 320 pixels, boxes in reach of ssd: 50.0% (")
    assert lines[2].startswith("at 320 pixels, boxes in reach of faster-rcnn: 50.0% (")
    assert describe_reach([image([])], 320) == []

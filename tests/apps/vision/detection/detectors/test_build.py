"""The detector that a configuration asks for, and what it refuses."""

import numpy as np
import pytest

from apps.vision.detection.config import SUPPRESSION_IOU, DetectConfig
from apps.vision.detection.detectors.build import build_detector
from apps.vision.detection.detectors.faster_rcnn.faster_rcnn import FasterRCNN
from apps.vision.detection.detectors.ssd.default_boxes import paper_shapes
from apps.vision.detection.detectors.ssd.ssd import SSD
from apps.vision.detection.detectors.yolo.yolo import YOLO
from shared.common import config as configs
from shared.common.errors import KerasuiteError

ARTIFACTS = {"class_names": ["a", "b"]}


def config(**overrides):
    return configs.resolve(DetectConfig, {"preset": "test", "data": ("x",)} | overrides)


def test_options_of_an_architecture_reach_it():
    yolo = build_detector(config(**{"loss.top_k": 7, "detection.iou": 0.6}), ARTIFACTS)
    assert isinstance(yolo, YOLO) and yolo.loss_config.top_k == 7 and yolo.iou == 0.6
    assert yolo.output["class_logits"].shape[-1] == 2 and len(yolo.backbone_layers) > 10
    ssd = {"model.architecture": "ssd", "ssd.negatives": 2.0}
    built = build_detector(config(**ssd), ARTIFACTS)
    assert isinstance(built, SSD) and built.options.negatives == 2.0 and built.iou == 0.45
    assert built.output["class_logits"].shape[-1] == 3
    np.testing.assert_array_equal(built.shapes[0], paper_shapes()[0])
    shapes = [[(0.1, 0.2)] * len(of_map) for of_map in paper_shapes()]
    fitted = build_detector(config(**ssd), ARTIFACTS | {"anchor_shapes": shapes})
    np.testing.assert_array_equal(fitted.shapes[5], shapes[5])
    given = {
        "model.architecture": "faster-rcnn", "faster_rcnn.proposals": 9, "model.head": "nano"
    }  # fmt: skip
    built = build_detector(config(**given), ARTIFACTS)
    assert isinstance(built, FasterRCNN) and built.options.proposals == 9 and built.iou == 0.5
    assert (built.region_head.num_classes, built.region_head.hidden_dim) == (2, 256)


def test_the_overlap_is_the_architecture_s_unless_given():
    for architecture, iou in SUPPRESSION_IOU.items():
        assert config(**{"model.architecture": architecture}).thresholds.iou == iou
    given = config(**{"model.architecture": "ssd", "detection.iou": 0.0})
    assert given.thresholds.iou == 0.0
    assert given.thresholds.max_detections == given.detection.max_detections
    assert configs.resolve(DetectConfig, {"preset": "ssd320"}).thresholds.iou == 0.45


@pytest.mark.parametrize(
    "options, message",
    [
        ({"model.architecture": "ssd", "loss.top_k": 5}, "--top-k: is not used with --arch"),
        ({"model.architecture": "ssd", "model.head": "nano"}, "--head: is not used with"),
        ({"ssd.negatives": 2.0}, "--negatives: is not used with --architecture yolo"),
        ({"ssd.fit_anchors": True}, "--fit-anchors: is not used with --architecture yolo"),
        (
            {"model.architecture": "ssd", "faster_rcnn.proposals": 9},
            "--proposals: is not used with",
        ),
        ({"model.architecture": "dpm"}, "architecture"),
    ],
)
def test_options_that_an_architecture_has_not_are_refused(options, message):
    with pytest.raises(KerasuiteError, match=message):
        config(**options)

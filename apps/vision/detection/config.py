"""Configuration of object detection."""

import dataclasses
from typing import Any, ClassVar, Literal

from apps.vision.backbone_names import refuse_unknown_backbone
from shared.common.config import OptimizationConfig, RunConfig, config_class, group, option

# Backbones of this task's own; see `csp_backbone.py`.
SIZES = ("test", "nano", "small", "medium")
# Overlap above which the weaker of two boxes of a class is dropped, where none is given.
SUPPRESSION_IOU = {"yolo": 0.7, "ssd": 0.45, "faster-rcnn": 0.5}
DEFAULT_IMAGE_SIZE = 640
YOLO = {"architecture": "yolo"}
SSD = {"architecture": "ssd"}
FASTER_RCNN = {"architecture": "faster-rcnn"}


@config_class
class DataConfig:
    """Selection, splitting and caching of the images."""

    annotations: Literal["", "voc", "coco", "yolo"] = option(
        "", "Format of the annotations; detected automatically if not given."
    )
    validation_split: float = option(
        0.1,
        "Fraction of the images held out; ignored if the data have their own split.",
        gt=0,
        le=0.5,
    )
    max_pixels: int = option(
        100_000_000, "Leave out images of more pixels, judged by their header.", ge=1
    )
    cache: Literal["auto", "memory", "off"] = option(
        "auto", "Keep images in memory at the network's size; auto does so below 1 GiB."
    )
    class_balanced: bool = option(
        False, "Show images with rare classes more often (repeat-factor sampling)."
    )


@config_class
class ModelConfig:
    """The network."""

    architecture: Literal["yolo", "ssd", "faster-rcnn"] = option(
        "yolo", "Anchor-free, default boxes of six scales, or regions in two stages."
    )
    backbone: str = option(
        "nano", "nano, small, medium, or a backbone of classify (resnet50, keras:NAME)."
    )
    head: Literal["auto", "nano", "small", "medium", "test"] = option(
        "auto",
        "Size of neck and head; auto takes the backbone's, or small for other backbones.",
        used_with={"architecture": ("yolo", "faster-rcnn")},
    )
    weights: str = option(
        "none", "imagenet, none, hf:timm/NAME, or a weights file for the backbone."
    )
    image_size: int = option(
        DEFAULT_IMAGE_SIZE,
        "Side of the square that images are fitted into; a multiple of 32.",
        ge=32,
        multiple_of=32,
    )
    freeze_epochs: int = option(
        0, "Train all but the backbone for this many epochs, then everything.", ge=0
    )


@config_class
class LossConfig:
    """YOLO: terms of the loss and the task-aligned assignment.

    Reference: [Feng et al., 2021](https://arxiv.org/abs/2108.07755) for the assignment.
    """

    box_weight: float = option(7.5, "YOLO: weight of 1 - CIoU.", used_with=YOLO, ge=0)
    dfl_weight: float = option(
        1.5, "YOLO: weight of the distribution focal loss.", used_with=YOLO, ge=0
    )
    class_weight: float = option(
        0.5, "YOLO: weight of the cross-entropy of the classes.", used_with=YOLO, ge=0
    )
    top_k: int = option(
        10, "YOLO: maximum number of anchors that a box is assigned to.", used_with=YOLO, ge=1
    )
    alpha: float = option(
        0.5, "YOLO: exponent of the score in the alignment.", used_with=YOLO, ge=0
    )
    beta: float = option(
        6.0, "YOLO: exponent of the overlap in the alignment.", used_with=YOLO, ge=0
    )


@config_class
class SSDConfig:
    """SSD: default boxes, matching and loss; the defaults are the paper's.

    Reference: [Liu et al., 2015](https://arxiv.org/abs/1512.02325)
    """

    fit_anchors: bool = option(
        False, "SSD: choose the sides of the default boxes by k-means on the training boxes.",
        used_with=SSD,
    )  # fmt: skip
    matching_iou: float = option(
        0.5, "SSD: overlap above which a default box is matched with a box.",
        used_with=SSD, gt=0, lt=1,
    )  # fmt: skip
    negatives: float = option(
        3.0, "SSD: hardest background boxes in the loss for each matched one.",
        used_with=SSD, ge=0,
    )  # fmt: skip
    location_weight: float = option(
        1.0, "SSD: weight of the smooth L1 loss of the offsets.", used_with=SSD, ge=0
    )
    centre_variance: float = option(
        0.1, "SSD: divisor of the offsets of centres.", used_with=SSD, gt=0
    )
    size_variance: float = option(
        0.2, "SSD: divisor of the logarithms of sides.", used_with=SSD, gt=0
    )


@config_class
class FasterRCNNConfig:
    """Faster R-CNN: anchors, and numbers of proposals and of samples.

    Reference: [Ren et al., 2015](https://arxiv.org/abs/1506.01497)
    """

    anchor_scale: float = option(
        3.0, "Faster R-CNN: side of the anchors, in strides (8, 16, 32, 64, 128) of their level.",
        used_with=FASTER_RCNN, gt=0,
    )  # fmt: skip
    anchor_samples: int = option(
        256, "Faster R-CNN: anchors of an image in the loss, at most half of them with an object.",
        used_with=FASTER_RCNN, ge=2,
    )  # fmt: skip
    proposals_before_nms: int = option(
        2000, "Faster R-CNN: best anchors of an image that suppression chooses proposals from.",
        used_with=FASTER_RCNN, ge=1,
    )  # fmt: skip
    proposals: int = option(
        300, "Faster R-CNN: proposals of an image that the second stage classifies.",
        used_with=FASTER_RCNN, ge=1,
    )  # fmt: skip
    region_samples: int = option(
        128, "Faster R-CNN: regions of an image in the loss, at most a quarter with an object.",
        used_with=FASTER_RCNN, ge=4,
    )  # fmt: skip


@config_class
class AugmentConfig:
    """Random augmentation of the training images, a pure function of (seed, global step)."""

    mosaic: float = option(1.0, "Probability of a mosaic of four images.", ge=0, le=1)
    mosaic_off_epochs: int = option(
        10, "Disable mosaic and MixUp for this many final epochs.",
        used_with={"mosaic": bool}, ge=0,
    )  # fmt: skip
    mixup: float = option(
        0.0, "Probability of blending with another mosaic.",
        used_with={"mosaic": bool}, ge=0, le=1,
    )  # fmt: skip
    rotation: float = option(0.0, "Largest rotation in degrees.", ge=0, le=180)
    translation: float = option(0.1, "Largest shift, as a fraction of the image.", ge=0, lt=1)
    scale: float = option(0.5, "Zoom from 1 - scale to 1 + scale.", ge=0, lt=1)
    shear: float = option(0.0, "Largest shear in degrees.", ge=0, lt=90)
    horizontal_flip: float = option(0.5, "Probability of mirroring left to right.", ge=0, le=1)
    vertical_flip: float = option(0.0, "Probability of mirroring top to bottom.", ge=0, le=1)
    hue: float = option(0.015, "Largest shift of hue, as a fraction of the circle.", ge=0, le=0.5)
    saturation: float = option(0.7, "Largest relative change of saturation.", ge=0, le=1)
    value: float = option(0.4, "Largest relative change of brightness.", ge=0, le=1)
    multi_scale: float = option(
        0.0, "Resize each batch by a random factor from 1 - this to 1 + this.", ge=0, lt=1
    )


@config_class
class DetectionConfig:
    """Default thresholds of the exported model; its callers may choose others."""

    confidence: float = option(0.25, "Minimum score of a detection.", ge=0, le=1)
    iou: float | None = option(
        None,
        "Overlap above which the weaker of two boxes of a class is dropped; by default 0.7 for "
        "yolo, 0.45 for ssd, 0.5 for faster-rcnn.",
        ge=0,
        le=1,
    )
    max_detections: int = option(300, "Maximum number of detections of one image.", ge=1)


@config_class
class DetectConfig(RunConfig):
    """Configuration of one training of a detector."""

    task: ClassVar[str] = "detect"
    metrics: ClassVar[dict[str, str]] = {"loss": "min"} | dict.fromkeys(
        ("map", "map50", "map75", "precision", "recall", "f1"), "max"
    )

    epochs: int = option(100, "Passes over the training data.", ge=1)
    batch_size: int = option(16, "Global batch size, over all devices.", ge=1)
    learning_rate: float = option(2e-3, "Peak learning rate.", gt=0)
    optimization: OptimizationConfig = group(
        lambda: OptimizationConfig(
            weight_decay=0.02, ema=0.999, clip_norm=10.0, final_learning_rate=0.01
        )
    )
    data_options: DataConfig = group(DataConfig)
    model: ModelConfig = group(ModelConfig)
    loss: LossConfig = group(LossConfig)
    ssd: SSDConfig = group(SSDConfig)
    faster_rcnn: FasterRCNNConfig = group(FasterRCNNConfig)
    augment: AugmentConfig = group(AugmentConfig)
    detection: DetectionConfig = group(DetectionConfig)

    def refuse_mistakes(self) -> None:
        super().refuse_mistakes()
        refuse_unknown_backbone(self.model.backbone, SIZES)

    @property
    def thresholds(self) -> DetectionConfig:
        """`detection` with the overlap of the architecture, where none is given."""
        if self.detection.iou is not None:
            return self.detection
        return dataclasses.replace(self.detection, iou=SUPPRESSION_IOU[self.model.architecture])

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        # Small enough for tests.
        "test": {
            "epochs": 2,
            "batch_size": 4,
            "deterministic": True,
            "model": {"backbone": "test", "image_size": 64},
            "augment": {"mosaic_off_epochs": 1},
        },
        # The digits of `kerasuite samples digits-detection`.
        # kerasuite detect train digits-detection --preset tiny
        "tiny": {
            "epochs": 40,
            "validate_every": 5,
            "learning_rate": 4e-3,
            "model": {"backbone": "nano", "image_size": 160},
            # Ten classes that look alike: classes are harder to learn than boxes.
            "loss": {"class_weight": 2.0},
            # The digits lie at random places and sizes already; a mirrored 3 is none.
            "augment": {
                "mosaic": 0.0,
                "scale": 0.2,
                "horizontal_flip": 0.0,
                "hue": 0.0,
                "saturation": 0.3,
            },
        },
        # About 3, 11 and 26 million parameters.
        "nano": {"model": {"backbone": "nano"}},
        "small": {"model": {"backbone": "small"}},
        "medium": {"model": {"backbone": "medium"}, "augment": {"mixup": 0.1}},
        # SSD300 with maps of 40, 20, 10, 5, 3 and 1 cells instead of 38, 19, 10, 5, 3 and 1.
        "ssd320": {"model": {"architecture": "ssd", "image_size": 320}},
        "faster-rcnn": {"model": {"architecture": "faster-rcnn", "image_size": 320}},
    }

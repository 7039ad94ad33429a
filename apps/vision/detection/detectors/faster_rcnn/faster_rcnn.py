"""Faster R-CNN with a feature pyramid: proposals first, then their classes and boxes."""

from typing import NamedTuple

import keras
import tensorflow as tf
from keras import ops

from apps.vision.detection.config import SUPPRESSION_IOU, FasterRCNNConfig
from apps.vision.detection.csp_backbone import SIZES, block_options
from apps.vision.detection.detectors.box_coding import decode_boxes
from apps.vision.detection.detectors.detector import Detector
from apps.vision.detection.detectors.faster_rcnn.anchors import ANCHOR_STRIDES, anchor_boxes
from apps.vision.detection.detectors.faster_rcnn.balanced_sample import even_draws
from apps.vision.detection.detectors.faster_rcnn.proposals import Proposals, propose
from apps.vision.detection.detectors.faster_rcnn.region_head import (
    VARIANCES,
    RegionHead,
    region_loss,
)
from apps.vision.detection.detectors.faster_rcnn.region_proposal import (
    anchor_targets,
    proposal_head,
    proposal_loss,
)
from apps.vision.detection.detectors.faster_rcnn.region_sampling import sample_regions
from apps.vision.detection.features import STRIDES, build_features, on_grid
from shared.common.config import from_dict, to_dict
from shared.common.errors import KerasuiteError
from shared.layers import FeaturePyramid


class Width(NamedTuple):
    """Size of neck and head: the paper's is that of `medium`.

    Attributes:
        pyramid: int. Channels of the feature pyramid and the proposal network.
        head: int. Width of the two dense layers.
    """

    pyramid: int
    head: int


WIDTHS = {
    "test": Width(16, 32),
    "nano": Width(64, 256),
    "small": Width(128, 512),
    "medium": Width(256, 1024),
}


@keras.saving.register_keras_serializable(package="kerasuite")
class FasterRCNN(Detector):
    """A proposal network and a head for the regions that it proposes, on the same features.

    The graph of the model is the first stage. The second is applied to what the first proposes:
    in training to a sample of it, with the true boxes among them.

    Args:
        inputs, outputs, name, iou: see `Detector`; made by `build_faster_rcnn`.
        region_head: RegionHead, or its configuration.
        options: FasterRCNNConfig. Anchors, and numbers of proposals and samples.

    Call arguments:
        inputs: float tensor (B, H, W, 3), RGB in 0..255; H and W are multiples of 32.

    Returns:
        Dict of "objectness", float32 (B, N), logits, and "offsets", float32 (B, N, 4), in the
        order of `anchor_boxes`; "features", a list of float (B, H / s, W / s, F) for the strides s
        of 8, 16 and 32.

    References: [Ren et al., 2015](https://arxiv.org/abs/1506.01497), with the feature pyramid of
    [Lin et al., 2017](https://arxiv.org/abs/1612.03144) and RoIAlign by
    [He et al., 2017](https://arxiv.org/abs/1703.06870).
    """

    decisive_outputs = ("objectness", "features")

    def __init__(
        self,
        inputs,
        outputs,
        name=None,
        *,
        region_head,
        options=FasterRCNNConfig(),
        **kwargs,
    ):
        super().__init__(inputs, outputs, name=name, **kwargs)
        if isinstance(region_head, dict):
            region_head = keras.saving.deserialize_keras_object(region_head)
        self.region_head = region_head
        if not region_head.built:
            region_head.build([features.shape for features in outputs["features"]])
        self.options = from_dict(FasterRCNNConfig, options)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Terms "objectness" and "proposal_box" of the first stage, "class" and "box" after it.

        Besides the boxes, `y` has the random numbers of the samples: "anchor_draws", float32
        (B, at least N), and "region_draws", float32 (B, P + M). Without them, as in an evaluation,
        the samples are spread evenly.
        """
        _, height, width, _ = ops.shape(x)
        objectness, offsets = y_pred["objectness"], y_pred["offsets"]
        anchors = anchor_boxes(height, width, self.options.anchor_scale)
        rows, count = tf.unstack(tf.shape(objectness))
        boxes = tf.cast(y["boxes"], tf.float32)

        # === First stage ===
        terms = proposal_loss(
            objectness,
            offsets,
            anchors,
            anchor_targets(anchors, boxes, y["mask"]),
            _draws(y, "anchor_draws", rows, count),
            self.options.anchor_samples,
        )

        # === Second stage ===
        proposals = self.proposals(y_pred, height, width)
        regions = sample_regions(
            proposals,
            y,
            _draws(y, "region_draws", rows, self.options.proposals + tf.shape(boxes)[1]),
            self.options.region_samples,
        )
        return self.with_penalty(
            terms | region_loss(*self._regions(y_pred, regions.boxes), regions)
        )

    def proposals(self, outputs, height, width) -> Proposals:
        """The regions that the first stage proposes."""
        return propose(
            outputs["objectness"],
            outputs["offsets"],
            anchor_boxes(height, width, self.options.anchor_scale),
            candidates=self.options.proposals_before_nms,
            count=self.options.proposals,
        )

    def _regions(self, outputs, boxes):
        return self.region_head(outputs["features"], boxes)

    def candidates(self, outputs, height, width):
        proposals = self.proposals(outputs, height, width)
        class_logits, offsets = self._regions(outputs, proposals.boxes)
        boxes = decode_boxes(offsets, proposals.boxes[:, :, tf.newaxis], VARIANCES)
        scores = tf.nn.softmax(class_logits)[..., 1:]
        return tf.clip_by_value(boxes, 0.0, 1.0), tf.where(
            proposals.mask[..., tf.newaxis], scores, 0.0
        )

    def loss_weight(self, x, y, sample_weight=None):
        """The number of images: each has its own samples, of a fixed size."""
        return ops.cast(ops.shape(y["mask"])[0], "float32")

    def get_config(self):
        return super().get_config() | {
            "region_head": keras.saving.serialize_keras_object(self.region_head),
            "options": to_dict(self.options),
        }


def _draws(y, name, rows, count):
    """The random numbers that came with the data, or even ones."""
    return y[name][:, :count] if name in y else even_draws((rows, count))


def build_faster_rcnn(
    backbone: str,
    num_classes: int,
    *,
    size: str | None = None,
    input_shape=(None, None, 3),
    weights: str = "none",
    kernel_regularizer=None,
    synchronized_batch_norm: bool = False,
    iou: float = SUPPRESSION_IOU["faster-rcnn"],
    options: FasterRCNNConfig = FasterRCNNConfig(),
) -> FasterRCNN:
    """Builds Faster R-CNN.

    Args:
        backbone, input_shape, weights, kernel_regularizer, synchronized_batch_norm: see
            `build_features`.
        num_classes: int. Number of classes C.
        size: str or None. Size of neck and head; None: that of the backbone, or "small".
        iou: float. See `Detector`.
        options: FasterRCNNConfig. See `FasterRCNN`.

    Returns:
        FasterRCNN; its attribute `backbone_layers` names the layers of the feature extractor.

    Raises:
        KerasuiteError: if a name is unknown, weights cannot be loaded, or the image size is no
            multiple of 32.
    """
    size = size or (backbone if backbone in SIZES else "small")
    if size not in WIDTHS:
        raise KerasuiteError(f"unknown size {size!r}: choose one of {', '.join(WIDTHS)}")
    widths = WIDTHS[size]
    blocks = block_options(kernel_regularizer, synchronized_batch_norm)

    # === Features of all strides, all of one width ===
    features = build_features(
        backbone,
        input_shape,
        weights=weights,
        kernel_regularizer=kernel_regularizer,
        synchronized_batch_norm=synchronized_batch_norm,
    )
    pyramid = FeaturePyramid(
        widths.pyramid,
        extra_levels=len(ANCHOR_STRIDES) - len(STRIDES),
        name="feature_pyramid",
        **blocks | {"activation": None},
    )
    maps = pyramid(on_grid(features))

    # === First stage in the graph of the model, second stage beside it ===
    objectness, offsets = proposal_head(maps, widths.pyramid, kernel_regularizer)
    # The extra levels have anchors only: regions are sampled from the others.
    regional = maps[: len(STRIDES)]
    outputs = {"objectness": objectness, "offsets": offsets, "features": regional}
    detector = FasterRCNN(
        features.inputs[0],
        outputs,
        name="detector",
        iou=iou,
        region_head=RegionHead(num_classes, widths.head, kernel_regularizer, name="region_head"),
        options=options,
    )
    detector.backbone_layers = [layer.name for layer in features.layers]
    return detector

"""SSD: classes and offsets of default boxes from six feature maps, in a single shot."""

import keras
import tensorflow as tf
from keras import ops

from apps.vision.detection.config import SUPPRESSION_IOU, SSDConfig
from apps.vision.detection.detectors.box_coding import decode_boxes
from apps.vision.detection.detectors.detector import Detector
from apps.vision.detection.detectors.nms import best_candidates
from apps.vision.detection.detectors.ssd.default_boxes import (
    BOXES_PER_CELL,
    default_boxes,
    paper_shapes,
)
from apps.vision.detection.detectors.ssd.extra_features import extra_features
from apps.vision.detection.detectors.ssd.matching import match, matched_counts
from apps.vision.detection.detectors.ssd.ssd_loss import multibox_sums
from apps.vision.detection.features import build_features, on_grid
from shared.common.config import from_dict, to_dict
from shared.layers import ScaledL2Normalization


@keras.saving.register_keras_serializable(package="kerasuite")
class SSD(Detector):
    """Class logits and offsets of every default box of an image.

    Args:
        inputs, outputs, name, iou: see `Detector`; made by `build_ssd`.
        options: SSDConfig. Matching and loss.
        shapes: sides of the default boxes of each map; None: the paper's.

    Call arguments:
        inputs: float tensor (B, H, W, 3), RGB in 0..255; H and W are multiples of 32.

    Returns:
        Dict of "class_logits", float32 (B, N, C + 1), the background first, and "offsets", float32
        (B, N, 4), as `encode_boxes` gives them. The order of the N boxes is that of
        `default_boxes`.
    """

    def __init__(self, inputs, outputs, name=None, *, options=SSDConfig(), shapes=None, **kwargs):
        super().__init__(inputs, outputs, name=name, **kwargs)
        self.options = from_dict(SSDConfig, options)
        self.shapes = [[(w, h) for w, h in shape] for shape in shapes or paper_shapes()]

    @property
    def variances(self):
        """Divisors of the four offsets."""
        centre, size = self.options.centre_variance, self.options.size_variance
        return (centre, centre, size, size)

    def _matched(self, x, y):
        """Default boxes of the images, and the number of the box that each is matched with."""
        _, height, width, _ = ops.shape(x)
        boxes = default_boxes(height, width, self.shapes)
        return boxes, match(y["boxes"], y["mask"], boxes, self.options.matching_iou)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Terms "class" and "box", by the number of matched default boxes."""
        boxes, matched = self._matched(x, y)
        sums = multibox_sums(
            y,
            matched,
            boxes,
            y_pred["class_logits"],
            y_pred["offsets"],
            variances=self.variances,
            negatives=self.options.negatives,
        )
        count = ops.sum(matched_counts(matched))
        return self.with_penalty(
            {
                "class": sums["class"] / count,
                "box": self.options.location_weight * sums["box"] / count,
            }
        )

    def loss_weight(self, x, y, sample_weight=None):
        """Number of matched default boxes, where an image counts at least as one."""
        # TensorFlow joins this matching and that of the loss, which are equal parts of one graph.
        _, matched = self._matched(x, y)
        return ops.sum(matched_counts(matched))

    def candidates(self, outputs, height, width):
        probabilities = tf.nn.softmax(tf.cast(outputs["class_logits"], tf.float32))[..., 1:]
        kept = best_candidates(tf.reduce_max(probabilities, axis=-1))
        scores, offsets = (
            tf.gather(each, kept, batch_dims=1) for each in (probabilities, outputs["offsets"])
        )
        boxes = tf.gather(default_boxes(height, width, self.shapes), kept)
        return decode_boxes(offsets, boxes, self.variances), scores

    def get_config(self):
        shapes = [[list(shape) for shape in of_map] for of_map in self.shapes]
        return super().get_config() | {"options": to_dict(self.options), "shapes": shapes}


def build_ssd(
    backbone: str,
    num_classes: int,
    *,
    input_shape=(None, None, 3),
    weights: str = "none",
    kernel_regularizer=None,
    synchronized_batch_norm: bool = False,
    iou: float = SUPPRESSION_IOU["ssd"],
    options: SSDConfig = SSDConfig(),
    shapes=None,
) -> SSD:
    """Builds SSD.

    Args:
        backbone, input_shape, weights, kernel_regularizer, synchronized_batch_norm: see
            `build_features`.
        num_classes: int. Number of classes C.
        iou: float. See `Detector`.
        options, shapes: see `SSD`.

    Returns:
        SSD; its attribute `backbone_layers` names the layers of the feature extractor.

    Raises:
        KerasuiteError: if a name is unknown, weights cannot be loaded, or the image size is no
            multiple of 32.

    Reference: [Liu et al., 2015](https://arxiv.org/abs/1512.02325)
    """
    features = build_features(
        backbone,
        input_shape,
        weights=weights,
        kernel_regularizer=kernel_regularizer,
        synchronized_batch_norm=synchronized_batch_norm,
    )
    maps = on_grid(features)
    maps += extra_features(maps[-1], kernel_regularizer)
    if "vgg" in backbone.lower():
        # conv4_3: without batch normalisation its features are larger than those of later layers.
        maps[0] = ScaledL2Normalization(name="conv4_3_normalization")(maps[0])

    predictions = [
        _predictor(x, number, boxes, num_classes, kernel_regularizer)
        for number, (x, boxes) in enumerate(zip(maps, BOXES_PER_CELL, strict=True), start=1)
    ]
    joined = keras.layers.Concatenate(axis=1, dtype="float32", name="predictions")(predictions)
    classes = num_classes + 1
    outputs = {"class_logits": joined[..., :classes], "offsets": joined[..., classes:]}
    detector = SSD(
        features.inputs[0], outputs, name="detector", iou=iou, options=options, shapes=shapes
    )
    detector.backbone_layers = [layer.name for layer in features.layers]
    return detector


def _predictor(x, number, boxes, num_classes, kernel_regularizer):
    """Logits and offsets of the boxes of one map: (B, h * w * boxes, C + 1 + 4).

    The paper's two convolutions side by side: narrow ones are not safe (see MIN_WIDTH).
    """
    width = num_classes + 1 + 4
    convolution = keras.layers.Conv2D(
        boxes * width,
        3,
        padding="same",
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        kernel_regularizer=kernel_regularizer,
        dtype="float32",
        name=f"map{number}_predictor",
    )
    # float32 as well: a layer casts its inputs, and 16 bits would round the logits.
    flat = keras.layers.Reshape((-1, width), dtype="float32", name=f"map{number}_flat")
    return flat(convolution(x))

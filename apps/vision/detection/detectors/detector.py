"""The contract of a detector: what training, evaluation, export and serving ask of it."""

import keras
from keras import ops

from apps.vision.detection.detectors.nms import suppress

EVALUATION_CONFIDENCE = 0.001
EVALUATION_DETECTIONS = 300
# What `keras.Model.get_config` says of the graph.
GRAPH = ("name", "trainable", "layers", "input_layers", "output_layers")


class Detector(keras.Model):
    """Base of all detectors: a network, its loss, and the way from its outputs to boxes.

    A subclass is a functional model (its builder makes the layers) with two methods of its own,
    `compute_loss` and `candidates`; evaluation, serving and the verification of an export use the
    same `detections`, which suppress the candidates class by class.

    Images are squares or rectangles whose sides are multiples of 32, boxes are normalised xyxy of
    the image that the network sees, and all methods take its sides at run time, so that one model
    serves every size. Targets `y` are a dict of "boxes", float (B, M, 4); "labels", int (B, M), in
    0..C - 1, of any value where padded; "mask", bool (B, M), True for a real box. M >= 1.

    Args:
        inputs, outputs, name: as of every functional `keras.Model`. Outputs are a dict of tensors
            (or nests of tensors) with the images as their first axis; those that the loss reads
            are float32 in every precision.
        iou: float. Overlap above which the weaker of two boxes of a class is dropped in
            `predictions`. In `detections` the caller says it.

    Attributes:
        backbone_layers: list of the names of the layers of the feature extractor, which
            `--freeze-epochs` freezes. Set by the builder.
        decisive_outputs: names of the outputs whose rounding decides which boxes are found; see
            `rounding_stable_examples`.
    """

    decisive_outputs: tuple[str, ...] = ("class_logits",)

    def __init__(self, inputs, outputs, name=None, *, iou: float = 0.5, **kwargs):
        super().__init__(inputs, outputs, name=name, **kwargs)
        self.iou = iou
        self.backbone_layers: list[str] = []

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Mean loss of a box: the terms, each divided by `loss_weight`.

        Not to depend on how a batch is split over devices, a term is a sum over images divided by
        `loss_weight(x, y)`, and an image's part of it depends on that image alone.

        Args:
            x: float tensor (B, H, W, 3). The images; only their size should be used.
            y: dict, the targets.
            y_pred: dict, the outputs.
            sample_weight: not used.
            training: bool. Whether they are outputs of a training step.

        Returns:
            Dict of float32 scalars, the terms by name, whose sum is the loss. `with_penalty` adds
            the regularisation.
        """
        raise NotImplementedError

    def candidates(self, outputs, height, width):
        """Boxes and scores before suppression.

        Args:
            outputs: dict, the outputs.
            height: int or int scalar tensor. Of the images, in pixels.
            width: int or int scalar tensor.

        Returns:
            Boxes, float32 (B, K, 4), normalised xyxy, not clipped to the image, or
            (B, K, C, 4), where every class has a box of its own; and scores, float32 (B, K, C),
            of the classes without background. K is at most `nms.CANDIDATES`.
        """
        raise NotImplementedError

    def detections(self, outputs, height, width, confidence, iou, max_detections):
        """Boxes, scores and classes after suppression. The thresholds may be tensors.

        Args:
            outputs: dict, the outputs.
            height: int or int scalar tensor. Of the images, in pixels.
            width: int or int scalar tensor.
            confidence: float scalar. Only scores above it count.
            iou: float scalar, 0..1. Overlap above which the weaker of two boxes of a class is
                dropped.
            max_detections: int scalar. M, the maximum number of boxes of one image.

        Returns:
            Dict of "boxes", float32 (B, M, 4), normalised xyxy, not clipped to the image;
            "scores", float32 (B, M), best first; "classes", int32 (B, M); "count", int32 (B,).
            Rows after the first `count` of an image are 0.
        """
        boxes, scores = self.candidates(outputs, height, width)
        return suppress(boxes, scores, confidence, iou, max_detections)

    def predictions(self, x, y_pred):
        """Detections for the evaluation: all that average precision counts, however unsure.

        Args:
            x: float tensor (B, H, W, 3).
            y_pred: dict, the outputs.

        Returns:
            Dict as `detections` gives it.
        """
        _, height, width, _ = ops.shape(x)
        return self.detections(
            y_pred, height, width, EVALUATION_CONFIDENCE, self.iou, EVALUATION_DETECTIONS
        )

    def loss_weight(self, x, y, sample_weight=None):
        """Number of items that `compute_loss` is the mean over, a float32 scalar."""
        return box_counts(y)

    def with_penalty(self, terms: dict) -> dict:
        """The terms and, where layers are regularised, "penalty"."""
        if self.losses:
            return terms | {"penalty": ops.cast(sum(self.losses), "float32")}
        return terms

    def get_config(self):
        return super().get_config() | {"iou": self.iou}

    def decoding(self) -> dict:
        """The arguments beside the graph, with which `candidates` reads the outputs, as JSON."""
        config = self.get_config()
        return {name: value for name, value in config.items() if name not in GRAPH}


def box_counts(y):
    """The number of boxes, where an image counts at least as one: the divisor of sums.

    It is a sum over images, so that it does not matter how a batch is split over devices.

    Args:
        y: dict with "mask", bool (B, M).

    Returns:
        float32 scalar tensor, at least B.
    """
    boxes = ops.sum(ops.cast(y["mask"], "float32"), axis=-1)
    return ops.sum(ops.maximum(boxes, 1.0))

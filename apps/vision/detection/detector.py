"""The detector: backbone, pyramid pooling, path aggregation, and a decoupled head."""

import math

import keras
from keras import ops

from apps.vision.detection.anchor_points import REG_MAX, STRIDES
from apps.vision.detection.config import DetectionConfig, LossConfig
from apps.vision.detection.csp_backbone import SIZES, block_options, build_features
from apps.vision.detection.detection_loss import box_counts, loss_sums
from apps.vision.detection.nms import detect
from shared.common.config import from_dict, to_dict
from shared.common.errors import KerasuiteError
from shared.layers import ConvNormActivation, PadToGrid, PathAggregation, SpatialPyramidPooling

EVALUATION_CONFIDENCE = 0.001
EVALUATION_DETECTIONS = 300
PRIOR = 0.01  # score that an untrained network gives to every class at every anchor


@keras.saving.register_keras_serializable(package="kerasuite")
class Detector(keras.Model):
    """Class and box logits for every anchor point of an image.

    Args:
        inputs, outputs, name: as of every functional `keras.Model`; see `build_detector`.
        loss: LossConfig. Weights of the terms and rules of the assignment.
        detection: DetectionConfig. Its overlap is that of the suppression in `predictions`.

    Call arguments:
        inputs: float tensor (B, H, W, 3), RGB in 0..255; H and W are multiples of 32.

    Returns:
        Dict of "class_logits", float32 (B, N, C), and "box_logits", float32 (B, N, 4 * REG_MAX):
        distributions of the distances left, top, right, bottom. The order of the N anchors is that
        of `anchor_points`.
    """

    def __init__(
        self,
        inputs,
        outputs,
        name=None,
        *,
        loss=LossConfig(),
        detection=DetectionConfig(),
        **kwargs,
    ):
        super().__init__(inputs, outputs, name=name, **kwargs)
        self.loss_config = from_dict(LossConfig, loss)
        self.detection_config = from_dict(DetectionConfig, detection)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Mean loss of a box: `loss_sums` divided by `loss_weight` and by the anchors of a box.

        Args:
            x: float tensor (B, H, W, 3); only its size is used.
            y: dict of "boxes" (B, M, 4), "labels" (B, M) and "mask" (B, M); see `loss_sums`.
            y_pred: dict, the outputs.

        Returns:
            Dict of the terms "box", "dfl", "class" and, if there are penalties, "penalty".
        """
        _, height, width, _ = ops.shape(x)
        sums = loss_sums(
            y, y_pred["class_logits"], y_pred["box_logits"], height, width, self.loss_config
        )
        # `top_k` anchors share the responsibility for a box.
        share = 1.0 / (box_counts(y) * self.loss_config.top_k)
        terms = {name: value * share for name, value in sums.terms.items()}
        if self.losses:
            terms["penalty"] = ops.cast(sum(self.losses), "float32")
        return terms

    def predictions(self, x, y_pred):
        """Detections for the evaluation: all that average precision counts, however unsure.

        Args:
            x: float tensor (B, H, W, 3).
            y_pred: dict, the outputs.

        Returns:
            Dict as `apps.vision.detection.nms.detect` gives it.
        """
        _, height, width, _ = ops.shape(x)
        return detect(
            **y_pred,
            height=height,
            width=width,
            confidence=EVALUATION_CONFIDENCE,
            iou=self.detection_config.iou,
            max_detections=EVALUATION_DETECTIONS,
        )

    def loss_weight(self, x, y, sample_weight=None):
        """Number of items that `compute_loss` is the mean over."""
        return box_counts(y)

    def get_config(self):
        return super().get_config() | {
            "loss": to_dict(self.loss_config),
            "detection": to_dict(self.detection_config),
        }


def build_detector(
    backbone: str,
    num_classes: int,
    *,
    size: str | None = None,
    input_shape=(None, None, 3),
    weights: str = "none",
    kernel_regularizer=None,
    synchronized_batch_norm: bool = False,
    loss: LossConfig = LossConfig(),
    detection: DetectionConfig = DetectionConfig(),
) -> Detector:
    """Builds a detector.

    Args:
        backbone: str. `"nano"`, `"small"`, `"medium"` or `"test"` for the detector's own backbone
            of that size, or any name that `build_backbone` knows.
        num_classes: int. Number of classes C.
        size: str or None. Size of neck and head; None: that of the backbone, or "small".
        input_shape: (H, W, 3). Side lengths are multiples of 32, or None.
        weights: str. `"none"`, `"imagenet"` or a weights file for a backbone of the suite.
        kernel_regularizer: str, `keras.regularizers.Regularizer` or None.
        synchronized_batch_norm: bool. Batch statistics over all replicas.
        loss, detection: see `Detector`.

    Returns:
        Detector; its attribute `backbone_layers` names the layers of the feature extractor.

    Raises:
        KerasuiteError: if a name is unknown, weights cannot be loaded, or the image size is no
            multiple of 32.

    References: heads as in [Ge et al., 2021](https://arxiv.org/abs/2107.08430), with the
    distributions of [Li et al., 2020](https://arxiv.org/abs/2006.04388).
    """
    size = size or (backbone if backbone in SIZES else "small")
    if size not in SIZES:
        raise KerasuiteError(f"unknown size {size!r}: choose one of {', '.join(SIZES)}")
    _check_image_size(input_shape)
    options = block_options(kernel_regularizer, synchronized_batch_norm)

    # === Features of strides 8, 16, 32 ===
    features = build_features(
        backbone,
        input_shape,
        weights=weights,
        kernel_regularizer=kernel_regularizer,
        synchronized_batch_norm=synchronized_batch_norm,
    )
    maps = _on_grid(features)

    # === Neck ===
    widths = SIZES[size].widths[-len(STRIDES) :]
    maps[-1] = SpatialPyramidPooling(widths[-1], name="pyramid_pooling", **options)(maps[-1])
    neck = PathAggregation(widths, SIZES[size].neck_depth, name="path_aggregation", **options)
    maps = neck(maps)

    # === Head ===
    heads = [
        _head(x, stride, num_classes, SIZES[size].head, options)
        for x, stride in zip(maps, STRIDES, strict=True)
    ]
    class_logits, box_logits = (
        keras.layers.Concatenate(axis=1, dtype="float32", name=name)(parts)
        for name, parts in zip(
            ("class_logits", "box_logits"), zip(*heads, strict=True), strict=True
        )
    )
    outputs = {"class_logits": class_logits, "box_logits": box_logits}
    detector = Detector(
        features.inputs[0], outputs, name="detector", loss=loss, detection=detection
    )
    detector.backbone_layers = [layer.name for layer in features.layers]
    return detector


def _head(x, stride, num_classes, width, options):
    """Logits of one scale: two branches that share nothing, because their tasks disagree."""
    results = []
    for branch, channels, bias in (
        ("class", num_classes, -math.log((1 - PRIOR) / PRIOR)),
        ("box", 4 * REG_MAX, 0.0),
    ):
        branched = x
        for number in (1, 2):
            name = f"{branch}{stride}_conv{number}"
            branched = ConvNormActivation(width, 3, name=name, **options)(branched)
        # A dense layer rather than a 1x1 convolution: the same, and safe for one class (narrow
        # convolutions are not, see MIN_WIDTH).
        branched = keras.layers.Reshape((-1, width), name=f"{branch}{stride}_flat")(branched)
        logits = keras.layers.Dense(
            channels,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
            bias_initializer=keras.initializers.Constant(bias),
            kernel_regularizer=options["kernel_regularizer"],
            dtype="float32",
            name=f"{branch}{stride}_logits",
        )
        results.append(logits(branched))
    return results


def _on_grid(features):
    """The feature maps, with the sides that anchor points and neck expect."""
    height, width = (side or 8 * STRIDES[-1] for side in features.inputs[0].shape[1:3])
    shapes = features.compute_output_shape((None, height, width, 3))
    maps = []
    for x, shape, stride in zip(features.outputs, shapes, STRIDES, strict=True):
        if shape[1:3] != (height // stride, width // stride):
            x = PadToGrid(stride, name=f"pad_to_grid{stride}")([x, features.inputs[0]])
        maps.append(x)
    return maps


def _check_image_size(input_shape):
    for side in input_shape[:2]:
        if side is not None and side % STRIDES[-1]:
            raise KerasuiteError(
                f"images of {input_shape[0]}x{input_shape[1]} pixels: the sides must be multiples "
                f"of {STRIDES[-1]}"
            )

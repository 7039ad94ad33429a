"""The anchor-free detector: backbone, pyramid pooling, path aggregation, a decoupled head."""

import math

import keras
from keras import ops

from apps.vision.detection.config import SUPPRESSION_IOU, LossConfig
from apps.vision.detection.csp_backbone import SIZES, block_options
from apps.vision.detection.detectors.detector import Detector, box_counts
from apps.vision.detection.detectors.yolo.anchor_points import REG_MAX
from apps.vision.detection.detectors.yolo.candidates import decode_candidates
from apps.vision.detection.detectors.yolo.detection_loss import loss_sums
from apps.vision.detection.features import STRIDES, build_features, on_grid
from shared.common.config import from_dict, to_dict
from shared.common.errors import KerasuiteError
from shared.layers import ConvNormActivation, PathAggregation, SpatialPyramidPooling

PRIOR = 0.01  # score that an untrained network gives to every class at every anchor


@keras.saving.register_keras_serializable(package="kerasuite")
class YOLO(Detector):
    """Class and box logits for every anchor point of an image.

    Args:
        inputs, outputs, name, iou: see `Detector`; made by `build_yolo`.
        loss: LossConfig. Weights of the terms and rules of the assignment.

    Call arguments:
        inputs: float tensor (B, H, W, 3), RGB in 0..255; H and W are multiples of 32.

    Returns:
        Dict of "class_logits", float32 (B, N, C), and "box_logits", float32 (B, N, 4 * REG_MAX):
        distributions of the distances left, top, right, bottom. The order of the N anchors is that
        of `anchor_points`.
    """

    def __init__(self, inputs, outputs, name=None, *, loss=LossConfig(), **kwargs):
        super().__init__(inputs, outputs, name=name, **kwargs)
        self.loss_config = from_dict(LossConfig, loss)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Terms "box", "dfl" and "class": `loss_sums` by the boxes and by the anchors of a box."""
        _, height, width, _ = ops.shape(x)
        sums = loss_sums(
            y, y_pred["class_logits"], y_pred["box_logits"], height, width, self.loss_config
        )
        # `top_k` anchors share the responsibility for a box.
        share = 1.0 / (box_counts(y) * self.loss_config.top_k)
        return self.with_penalty({name: value * share for name, value in sums.terms.items()})

    def candidates(self, outputs, height, width):
        return decode_candidates(outputs["class_logits"], outputs["box_logits"], height, width)

    def get_config(self):
        return super().get_config() | {"loss": to_dict(self.loss_config)}


def build_yolo(
    backbone: str,
    num_classes: int,
    *,
    size: str | None = None,
    input_shape=(None, None, 3),
    weights: str = "none",
    kernel_regularizer=None,
    synchronized_batch_norm: bool = False,
    iou: float = SUPPRESSION_IOU["yolo"],
    loss: LossConfig = LossConfig(),
) -> YOLO:
    """Builds the anchor-free detector.

    Args:
        backbone, input_shape, weights, kernel_regularizer, synchronized_batch_norm: see
            `build_features`.
        num_classes: int. Number of classes C.
        size: str or None. Size of neck and head; None: that of the backbone, or "small".
        iou: float. See `Detector`.
        loss: LossConfig. See `YOLO`.

    Returns:
        YOLO; its attribute `backbone_layers` names the layers of the feature extractor.

    Raises:
        KerasuiteError: if a name is unknown, weights cannot be loaded, or the image size is no
            multiple of 32.

    References: heads as in [Ge et al., 2021](https://arxiv.org/abs/2107.08430), with the
    distributions of [Li et al., 2020](https://arxiv.org/abs/2006.04388).
    """
    size = size or (backbone if backbone in SIZES else "small")
    if size not in SIZES:
        raise KerasuiteError(f"unknown size {size!r}: choose one of {', '.join(SIZES)}")
    options = block_options(kernel_regularizer, synchronized_batch_norm)

    # === Features of strides 8, 16, 32 ===
    features = build_features(
        backbone,
        input_shape,
        weights=weights,
        kernel_regularizer=kernel_regularizer,
        synchronized_batch_norm=synchronized_batch_norm,
    )
    maps = on_grid(features)

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
    detector = YOLO(features.inputs[0], outputs, name="detector", iou=iou, loss=loss)
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

"""The detector that a configuration asks for."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from apps.vision.detection.config import DetectConfig
from apps.vision.detection.detectors.detector import Detector

# Those whose weights are all in the network; the others have some in `candidates`.
ONE_STAGE = ("yolo", "ssd")


def build_detector(
    config: DetectConfig,
    artifacts: Mapping[str, Any],
    *,
    weights: str = "none",
    synchronized_batch_norm: bool = False,
) -> Detector:
    """Builds the detector of a run. The code of other architectures is not imported.

    Args:
        config: of the run.
        artifacts: of the run: "class_names", and what an architecture made of the data.
        weights: str. `"none"`, `"imagenet"` or a weights file for the backbone.
        synchronized_batch_norm: bool. Batch statistics over all replicas.

    Returns:
        Detector, for images of any size, not compiled.

    Raises:
        KerasuiteError: if the backbone is unknown or its weights cannot be loaded.
    """
    common = {
        "backbone": config.model.backbone,
        "num_classes": len(artifacts["class_names"]),
        "weights": weights,
        "synchronized_batch_norm": synchronized_batch_norm,
        "iou": config.thresholds.iou,
    }
    size = None if config.model.head == "auto" else config.model.head
    match config.model.architecture:
        case "ssd":
            from apps.vision.detection.detectors.ssd.ssd import build_ssd

            return build_ssd(**common, options=config.ssd, shapes=artifacts.get("anchor_shapes"))
        case "faster-rcnn":
            from apps.vision.detection.detectors.faster_rcnn.faster_rcnn import build_faster_rcnn

            return build_faster_rcnn(**common, size=size, options=config.faster_rcnn)
        case _:
            from apps.vision.detection.detectors.yolo.yolo import build_yolo

            return build_yolo(**common, size=size, loss=config.loss)


def training_draws(config: DetectConfig) -> Callable[[tf.Tensor, tf.Tensor], dict[str, tf.Tensor]]:
    """The random numbers that the loss of an architecture reads, beside the targets.

    They come with the data so that a step is the same after a resume, and on any devices.

    Args:
        config: of the run.

    Returns:
        Function of the seed of an example, int32 (2,), and the number of rows of its targets to
        a dict of float32 tensors.
    """
    if config.model.architecture == "faster-rcnn":
        from apps.vision.detection.detectors.faster_rcnn.draws import sampling_draws

        return partial(sampling_draws, config)
    return lambda seed, boxes: {}


def build_decoder(architecture: str, decoding: Mapping[str, Any]) -> Detector:
    """A detector without a network, to read the outputs of one that is computed elsewhere.

    Args:
        architecture: a name in `ONE_STAGE`.
        decoding: `Detector.decoding` of the trained model.
    """
    match architecture:
        case "ssd":
            from apps.vision.detection.detectors.ssd.ssd import SSD as Architecture
        case _:
            from apps.vision.detection.detectors.yolo.yolo import YOLO as Architecture
    nothing = keras.Input((None, None, 3))
    return Architecture(nothing, nothing, **decoding)


def register_all() -> None:
    """Imports every architecture: Keras can only load models whose classes it has seen."""
    import apps.vision.detection.detectors.faster_rcnn.faster_rcnn
    import apps.vision.detection.detectors.ssd.ssd
    import apps.vision.detection.detectors.yolo.yolo  # noqa: F401

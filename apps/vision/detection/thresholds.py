"""The thresholds of an exported detector: inputs of one signature, variables of the other."""

import tensorflow as tf

from apps.vision.detection.config import DetectionConfig

THRESHOLDS = {
    "confidence": tf.TensorSpec([], tf.float32),
    "iou": tf.TensorSpec([], tf.float32),
    "max_detections": tf.TensorSpec([], tf.int32),
}


def threshold_variables(config: DetectionConfig) -> dict[str, tf.Variable]:
    """Thresholds of `serving_default`: attributes of the export, which may be assigned.

    Args:
        config: `DetectConfig.thresholds`, with an overlap in any case.
    """
    return {
        name: tf.Variable(getattr(config, name), trainable=False, dtype=spec.dtype)
        for name, spec in THRESHOLDS.items()
    }


def threshold_values(loaded) -> dict:
    """Name to value of the thresholds of a loaded export as they are now, as NumPy scalars."""
    return {name: getattr(loaded, name).numpy() for name in THRESHOLDS}

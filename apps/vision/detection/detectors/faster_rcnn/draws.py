"""The random numbers that choose the samples of a training step, drawn with the data."""

import math

import tensorflow as tf

from apps.vision.detection.config import DetectConfig
from apps.vision.detection.detectors.faster_rcnn.anchors import anchor_count
from apps.vision.detection.features import GRID

# Of the seed of an example, whose halves augmentation uses.
STREAM = 21


def sampling_draws(config: DetectConfig, seed: tf.Tensor, boxes: tf.Tensor) -> dict[str, tf.Tensor]:
    """Random numbers for one example: a step is then a function of its batch alone.

    Args:
        config: the configuration.
        seed: int32 tensor (2,), of the example.
        boxes: int scalar tensor. Number of rows of its targets.

    Returns:
        Dict of "anchor_draws", float32 (A,), with A the number of anchors of the largest images
        of a training, and "region_draws", float32 (P + boxes,).
    """
    side = math.ceil(config.model.image_size * (1.0 + config.augment.multi_scale) / GRID) * GRID
    anchor_seed, region_seed = tf.unstack(tf.random.split(tf.random.fold_in(seed, STREAM), 2))
    regions = config.faster_rcnn.proposals + boxes
    return {
        "anchor_draws": tf.random.stateless_uniform((anchor_count(side, side),), anchor_seed),
        "region_draws": tf.random.stateless_uniform((regions,), region_seed),
    }

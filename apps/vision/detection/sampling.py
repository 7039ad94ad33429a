"""Class-balanced sampling: images with rare classes are shown more often."""

import numpy as np
import tensorflow as tf

from apps.vision.detection.annotations.image_boxes import ImageBoxes
from shared.image.augment import uniform


def repeat_factors(images: list[ImageBoxes]) -> np.ndarray:
    """How often each image is shown, relative to one whose classes are in every image.

    The factor of a class is 1 / sqrt(f), f the share of the images that have it; that of an image
    is the largest of its classes. (The paper starts to repeat below a threshold of f; here it is
    1, which suits data sets of a few classes.)

    Args:
        images: the training images.

    Returns:
        float64 array (n,), at least 1.

    Reference: [Gupta et al., 2019](https://arxiv.org/abs/1908.03195)
    """
    present = [np.unique(image.labels[~image.crowd]) for image in images]
    shares = np.bincount(np.concatenate(present)) / len(images)
    return np.array(
        [max((shares[label] ** -0.5 for label in labels), default=1.0) for labels in present]
    )


def weighted_indices(factors: np.ndarray, seed: tf.Tensor) -> tf.Tensor:
    """Draws an index with probabilities in proportion to the factors: int64 scalar tensor."""
    ends = tf.constant(np.cumsum(factors) / np.sum(factors), tf.float32)
    index = tf.searchsorted(ends, [uniform(seed)], side="right")[0]
    return tf.cast(tf.minimum(index, len(factors) - 1), tf.int64)

"""Losses that more than one network uses; written with `keras.ops` only."""

from shared.losses.binary_cross_entropy import (
    binary_cross_entropy,
    softened_binary_cross_entropy,
)
from shared.losses.box_iou import box_ciou, box_iou, pairwise_box_iou
from shared.losses.distribution_focal_loss import distribution_focal_loss
from shared.losses.smooth_l1 import smooth_l1
from shared.losses.smoothed_cross_entropy import smoothed_cross_entropy

__all__ = [
    "binary_cross_entropy",
    "box_ciou",
    "box_iou",
    "distribution_focal_loss",
    "pairwise_box_iou",
    "smooth_l1",
    "smoothed_cross_entropy",
    "softened_binary_cross_entropy",
]

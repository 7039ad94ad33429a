"""The anchors of the region proposal network: three shapes at every feature of the pyramid."""

import math

from keras import ops

from apps.vision.detection.detectors.anchor_grid import grid_anchors

# The paper's are 4 to 64. At 320 pixels the 6,400 features of stride 4 would be three quarters of
# all, which a training on a few cores does not need: the paper's smallest anchors, of 32 pixels in
# images with sides of 800, would have 13 pixels there; those of three strides have 24 here. The
# largest have 384, for images of 640 pixels as well.
ANCHOR_STRIDES = (8, 16, 32, 64, 128)
RATIOS = (0.5, 1.0, 2.0)  # of height to width


def anchor_boxes(height, width, scale: float):
    """Anchors of an image, in the order of the network's outputs.

    They are level by level, fine to coarse, row by row; the ratios are the last to change. Those
    that reach over the edge of the image are anchors as well.

    Args:
        height: int or int scalar tensor. Of the image, in pixels; a multiple of 32.
        width: int or int scalar tensor.
        scale: float. Side of the square anchor in strides of its level. The others have its area.

    Returns:
        float32 tensor (N, 4), normalised xyxy.
    """
    return ops.concatenate(
        [grid_anchors(*grid) for grid in anchor_grids(height, width, scale)], axis=0
    )


def anchor_grids(height, width, scale: float):
    """Rows, columns and shapes (as shares of the image) of the anchors of each level.

    Args:
        height, width, scale: as for `anchor_boxes`.
    """
    extent = ops.cast(ops.stack([width, height]), "float32")
    sides = [(1.0 / math.sqrt(ratio), math.sqrt(ratio)) for ratio in RATIOS]
    for stride in ANCHOR_STRIDES:
        shapes = ops.convert_to_tensor(sides, "float32") * (scale * stride) / extent
        yield _cells(height, stride), _cells(width, stride), shapes


def anchor_count(height: int, width: int) -> int:
    """Number of anchors of an image of a size."""
    cells = (_cells(height, stride) * _cells(width, stride) for stride in ANCHOR_STRIDES)
    return sum(cells) * len(RATIOS)


def _cells(side, stride):
    """Features along a side: half as many as on the level before, rounded up."""
    return (side + stride - 1) // stride

"""Default boxes of SSD: boxes of several scales and aspect ratios on six feature maps."""

import math

from keras import ops

from apps.vision.detection.detectors.anchor_grid import grid_anchors
from apps.vision.detection.features import STRIDES

# Of each map; 1 stands for two boxes. The finest and the two coarsest maps leave out 3 and 1/3.
THREE_RATIOS = (1.0, 2.0, 1 / 2)
FIVE_RATIOS = (1.0, 2.0, 1 / 2, 3.0, 1 / 3)
ASPECT_RATIOS = (THREE_RATIOS, FIVE_RATIOS, FIVE_RATIOS, FIVE_RATIOS, THREE_RATIOS, THREE_RATIOS)
BOXES_PER_CELL = tuple(len(ratios) + 1 for ratios in ASPECT_RATIOS)  # 4, 6, 6, 6, 4, 4

# Sides as shares of the image's. The scales of equal steps begin with the second map; the finest
# has a smaller one, as in the paper's settings for conv4_3 on Pascal VOC.
FINEST_SCALE = 0.1
MIN_SCALE, MAX_SCALE = 0.2, 0.9

# Width and height of the boxes of a cell, for each map.
Shapes = list[list[tuple[float, float]]]


def scales() -> list[float]:
    """The scale of each map, and of one more that would follow.

    `s_k = s_min + (s_max - s_min) / (m - 1) * (k - 1)` for k = 1, ..., m + 1 and the m = 5 maps
    after the finest.
    """
    step = (MAX_SCALE - MIN_SCALE) / (len(ASPECT_RATIOS) - 2)
    return [FINEST_SCALE, *(MIN_SCALE + step * k for k in range(len(ASPECT_RATIOS)))]


def paper_shapes() -> Shapes:
    """Sides of the boxes of each map, as shares of the image's, by the paper's rule.

    For the aspect ratio a: width `s_k * sqrt(a)`, height `s_k / sqrt(a)`; and one square more, of
    the side `sqrt(s_k * s_(k + 1))`.

    Reference: [Liu et al., 2015](https://arxiv.org/abs/1512.02325), section 2.2
    """
    of_maps = scales()
    shapes = []
    for scale, following, ratios in zip(of_maps[:-1], of_maps[1:], ASPECT_RATIOS, strict=True):
        between = math.sqrt(scale * following)
        sides = [(scale * math.sqrt(ratio), scale / math.sqrt(ratio)) for ratio in ratios]
        shapes.append([sides[0], (between, between), *sides[1:]])
    return shapes


def map_sides(side) -> list:
    """Cells along one side of each feature map: 40, 20, 10, 5, 3, 1 at 320 pixels.

    The backbone divides by 8, 16 and 32, the extra layers by 2, 2 and 3, rounding up.

    Args:
        side: int or int scalar tensor. Of the image, in pixels; a multiple of 32.
    """
    sides = [side // stride for stride in STRIDES]
    for divisor in (2, 2, 3):
        sides.append((sides[-1] + divisor - 1) // divisor)
    return sides


def default_boxes(height, width, shapes: Shapes):
    """All default boxes, map by map, in the order of the network's outputs.

    Args:
        height: int or int scalar tensor. Of the image, in pixels; a multiple of 32.
        width: int or int scalar tensor.
        shapes: of each map, from `paper_shapes` or `fit_shapes`.

    Returns:
        float32 tensor (N, 4), normalised xyxy, not clipped to the image; N = 9,590 at 320 pixels.
    """
    maps = zip(map_sides(height), map_sides(width), shapes, strict=True)
    return ops.concatenate([grid_anchors(*each) for each in maps], axis=0)

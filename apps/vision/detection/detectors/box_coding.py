"""Boxes as offsets from anchors, the targets of SSD's and Faster R-CNN's regression."""

import math

from keras import ops

# The sides of decoded boxes are at most this multiple of the anchor's: an untrained network may
# give any offset, and the exponential of a large one is infinite.
LARGEST_RATIO = 1000 / 16
SMALLEST_SIDE = 1e-6  # of an image; keeps the logarithm of a box without area finite


def encode_boxes(boxes, anchors, variances=(1.0, 1.0, 1.0, 1.0)):
    """Offsets of boxes from their anchors.

    With the centre x, y and the sides w, h of a box and x_a, y_a, w_a, h_a of its anchor:

        t_x = (x - x_a) / w_a / variances[0]    t_w = log(w / w_a) / variances[2]
        t_y = (y - y_a) / h_a / variances[1]    t_h = log(h / h_a) / variances[3]

    Sides shorter than 1e-6 count as that long.

    Args:
        boxes: float tensor (..., 4), normalised xyxy.
        anchors: float tensor (..., 4), normalised xyxy; broadcasts with `boxes`.
        variances: tuple of 4 floats. The offsets are divided by them, which gives positions and
            sides the same spread.

    Returns:
        float32 tensor (..., 4): t_x, t_y, t_w, t_h.

    Reference: [Girshick et al., 2013](https://arxiv.org/abs/1311.2524); the variances as in
    [Liu et al., 2015](https://arxiv.org/abs/1512.02325).
    """
    centres, sides = _centres_and_sides(boxes)
    anchor_centres, anchor_sides = _centres_and_sides(anchors)
    sides, anchor_sides = (ops.maximum(each, SMALLEST_SIDE) for each in (sides, anchor_sides))
    shifts = (centres - anchor_centres) / anchor_sides
    return ops.concatenate([shifts, ops.log(sides / anchor_sides)], axis=-1) / _row(variances)


def decode_boxes(offsets, anchors, variances=(1.0, 1.0, 1.0, 1.0)):
    """The boxes at offsets from anchors: the inverse of `encode_boxes`.

    Before the exponential, t_w and t_h times their variances are clamped from above at
    log(1000 / 16): no box is more than 62.5 times as wide or as high as its anchor.

    Args:
        offsets: float tensor (..., 4): t_x, t_y, t_w, t_h.
        anchors: float tensor (..., 4), normalised xyxy; of the shape of `offsets`, or with fewer
            dimensions in front.
        variances: tuple of 4 floats, as for `encode_boxes`.

    Returns:
        float32 tensor (..., 4), normalised xyxy, not clipped to the image.
    """
    scaled = ops.cast(offsets, "float32") * _row(variances)
    centres, sides = _centres_and_sides(anchors)
    centres = centres + scaled[..., :2] * sides
    halves = sides * ops.exp(ops.minimum(scaled[..., 2:], math.log(LARGEST_RATIO))) / 2.0
    return ops.concatenate([centres - halves, centres + halves], axis=-1)


def _centres_and_sides(boxes):
    boxes = ops.cast(boxes, "float32")
    return (boxes[..., :2] + boxes[..., 2:]) / 2.0, boxes[..., 2:] - boxes[..., :2]


def _row(variances):
    return ops.convert_to_tensor(variances, "float32")

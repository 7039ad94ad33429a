"""Anchor points: every pixel of a feature map is responsible for its part of the image."""

from keras import ops

from apps.vision.detection.features import STRIDES

REG_MAX = 16  # distances are distributions over 0, 1, ..., REG_MAX - 1 strides


def anchor_points(height, width):
    """Centres of the cells of all feature maps, in the order of the detector's outputs.

    Args:
        height: int or int scalar tensor. Of the image, in pixels; a multiple of 32.
        width: int or int scalar tensor.

    Returns:
        points_pixels, float32 tensor (N, 2), x and y in pixels; strides, float32 tensor (N, 1), in
        pixels. N is the sum of `height * width / stride**2` over the strides 8, 16, 32.
    """
    points, strides = [], []
    for stride in STRIDES:
        rows = ops.cast(ops.arange(height // stride), "float32") + 0.5
        columns = ops.cast(ops.arange(width // stride), "float32") + 0.5
        x, y = ops.meshgrid(columns, rows)
        cells = ops.stack([ops.reshape(x, (-1,)), ops.reshape(y, (-1,))], axis=-1)
        points.append(cells * stride)
        strides.append(ops.full_like(cells[:, :1], stride))
    return ops.concatenate(points, axis=0), ops.concatenate(strides, axis=0)


def expected_distances(box_logits):
    """Distances as expectations of their distributions.

    Args:
        box_logits: float tensor (..., 4 * REG_MAX), for left, top, right, bottom.

    Returns:
        float32 tensor (..., 4), in strides.

    Reference: [Li et al., 2020](https://arxiv.org/abs/2006.04388)
    """
    probabilities = ops.softmax(ops.cast(split_sides(box_logits), "float32"), axis=-1)
    return ops.matmul(probabilities, ops.arange(REG_MAX, dtype="float32"))


def split_sides(box_logits):
    """Logits (..., 4 * REG_MAX) as (..., 4, REG_MAX)."""
    return ops.reshape(box_logits, (*ops.shape(box_logits)[:-1], 4, REG_MAX))


def decode_boxes_pixels(box_logits, points_pixels, strides):
    """Boxes in pixels of the image.

    Args:
        box_logits: float tensor (..., N, 4 * REG_MAX).
        points_pixels: float32 tensor (N, 2) or (..., N, 2), from `anchor_points`.
        strides: float32 tensor (N, 1) or (..., N, 1).

    Returns:
        float32 tensor (..., N, 4), xyxy in pixels, not clipped to the image.
    """
    distances = expected_distances(box_logits) * strides
    return ops.concatenate(
        [points_pixels - distances[..., :2], points_pixels + distances[..., 2:]], axis=-1
    )


def decode_boxes(box_logits, points_pixels, strides, height, width):
    """Normalised boxes.

    Args:
        box_logits: float tensor (..., N, 4 * REG_MAX).
        points_pixels: float32 tensor (N, 2) or (..., N, 2), from `anchor_points`.
        strides: float32 tensor (N, 1) or (..., N, 1).
        height: int or int scalar tensor. Of the image, in pixels.
        width: int or int scalar tensor.

    Returns:
        float32 tensor (..., N, 4), xyxy, where 0..1 is the image; not clipped to it.
    """
    boxes_pixels = decode_boxes_pixels(box_logits, points_pixels, strides)
    return boxes_pixels / image_scale(height, width)


def image_scale(height, width):
    """float32 tensor (4,): width, height, width, height. Normalised xyxy times it is in pixels."""
    sides = [ops.cast(side, "float32") for side in (width, height, width, height)]
    return ops.stack(sides)


def encode_distances(boxes_pixels, points_pixels, strides):
    """Distances of points from the sides of boxes, the targets of the distributions.

    Args:
        boxes_pixels: float32 tensor (..., N, 4), xyxy, one box for each point.
        points_pixels: float32 tensor (N, 2).
        strides: float32 tensor (N, 1).

    Returns:
        float32 tensor (..., N, 4): left, top, right, bottom in strides; negative where the point
        is outside.
    """
    before = points_pixels - boxes_pixels[..., :2]
    after = boxes_pixels[..., 2:] - points_pixels
    return ops.concatenate([before, after], axis=-1) / strides

"""Rows of a tensor for each image of a batch."""

from keras import ops


def gather_rows(values, indices):
    """Rows of (B, R, ...) at indices (B, K), image by image.

    Args:
        values: tensor (B, R, ...).
        indices: int32 tensor (B, K), each in 0..R - 1.

    Returns:
        Tensor (B, K, ...).
    """
    batch, rows, *rest = ops.shape(values)
    first_row = ops.arange(batch, dtype="int32")[:, None] * rows
    return ops.take(ops.reshape(values, (-1, *rest)), indices + first_row, axis=0)

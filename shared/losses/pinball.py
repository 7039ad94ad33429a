"""The loss whose minimum is a quantile."""

from keras import ops


def pinball_loss(targets, predictions, levels):
    """q d where the target is d above the prediction of quantile q, (1 - q) |d| where it is below.

    Args:
        targets: float tensor (...).
        predictions: float tensor (..., Q).
        levels: list of Q floats between 0 and 1.

    Returns:
        float32 tensor (..., Q).

    Reference: [Koenker and Bassett, 1978](https://doi.org/10.2307/1913643)
    """
    levels = ops.convert_to_tensor(list(levels), "float32")
    differences = ops.cast(targets, "float32")[..., None] - ops.cast(predictions, "float32")
    return ops.maximum(levels * differences, (levels - 1.0) * differences)

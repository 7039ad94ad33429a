"""Regression that is gentle with outliers: quadratic near zero, linear beyond."""

from keras import ops


def smooth_l1(differences, beta: float = 1.0):
    """`d**2 / (2 beta)` where |d| < beta, and `|d| - beta / 2` elsewhere.

    Args:
        differences: float tensor (...), prediction minus target.
        beta: float above 0. Where the parabola becomes a line.

    Returns:
        float32 tensor (...), not negative; its gradient is at most 1.

    Reference: [Girshick, 2015](https://arxiv.org/abs/1504.08083), equation 3
    """
    size = ops.abs(ops.cast(differences, "float32"))
    return ops.where(size < beta, ops.square(size) / (2.0 * beta), size - beta / 2.0)

"""Regression by classification: a number as a distribution over its neighbouring integers."""

from keras import ops


def distribution_focal_loss(logits, targets):
    """Cross-entropy with the two integers around a target, weighed by nearness.

    For a target y between the integers i and i + 1, the loss is
    `-((i + 1 - y) * log p_i + (y - i) * log p_(i + 1))`. It is least where the distribution's
    expectation is y and all its mass is on i and i + 1.

    Args:
        logits: float tensor (..., n). The distribution over 0, 1, ..., n - 1.
        targets: float tensor (...). Clipped to 0..n - 1.

    Returns:
        float32 tensor (...), at least 0; the entropy of the two weights at best.

    Reference: [Li et al., 2020](https://arxiv.org/abs/2006.04388), equation 6
    """
    last = logits.shape[-1] - 1
    log_probabilities = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
    targets = ops.clip(ops.cast(targets, "float32"), 0.0, float(last))
    integers = ops.arange(last + 1, dtype="float32")
    # The hat function: 1 at the target, 0 from a distance of 1 on. Its values at i and i + 1
    # are the two weights; multiplying beats gathering on every device.
    weights = ops.relu(1.0 - ops.abs(targets[..., None] - integers))
    return -ops.sum(weights * log_probabilities, axis=-1)

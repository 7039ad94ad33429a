"""Cross-entropy of token predictions, with label smoothing."""

import keras
from keras import ops


def smoothed_cross_entropy(labels, logits, smoothing: float = 0.0):
    """Cross-entropy with labels that leave some probability to all classes.

    The target is 1 - smoothing at the label, and smoothing / V spread over all V classes.

    Args:
        labels: int tensor (...).
        logits: float tensor (..., V).
        smoothing: float in [0, 1).

    Returns:
        float32 tensor (...), in nats.

    Reference: [Szegedy et al., 2016, section 7](https://arxiv.org/abs/1512.00567)
    """
    logits = ops.cast(logits, "float32")
    if not smoothing:
        return keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    classes = logits.shape[-1]
    targets = ops.one_hot(labels, classes) * (1.0 - smoothing) + smoothing / classes
    return ops.categorical_crossentropy(targets, logits, from_logits=True)

"""Binary cross-entropy of each label, of logits."""

from keras import ops


def binary_cross_entropy(targets, logits, positive_weights=None, smoothing: float = 0.0):
    """Cross-entropy of independent labels: -w y log p - (1 - y) log(1 - p), p the sigmoid.

    log p is -softplus(-logit), which overflows nowhere.

    Args:
        targets: float tensor (..., C), the probability y that a label is present.
        logits: float tensor (..., C).
        positive_weights: C floats w, or None for 1.
        smoothing: float in [0, 1). Share of a target that becomes 1/2.

    Returns:
        float32 tensor (..., C), in nats.
    """
    targets, logits = ops.cast(targets, "float32"), ops.cast(logits, "float32")
    targets = targets * (1 - smoothing) + smoothing / 2
    is_present = targets * ops.softplus(-logits)
    if positive_weights is not None:
        is_present = is_present * ops.convert_to_tensor(positive_weights, "float32")
    return is_present + (1 - targets) * ops.softplus(logits)


def softened_binary_cross_entropy(teacher, logits, temperature: float = 1.0):
    """Binary cross-entropy with a teacher's predictions, both softened by a temperature.

    Multiplied by the square of the temperature, so that gradients do not shrink with it.

    Args:
        teacher, logits: float tensors (..., C), of the teacher and of the student.
        temperature: float. Divides the logits of both.

    Returns:
        float32 tensor (..., C).

    Reference: [Hinton et al., 2015](https://arxiv.org/abs/1503.02531)
    """
    targets = ops.sigmoid(ops.cast(teacher, "float32") / temperature)
    return binary_cross_entropy(targets, logits / temperature) * temperature**2

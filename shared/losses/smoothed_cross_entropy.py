"""Cross-entropy of token predictions, with label smoothing."""

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
    labels, classes = ops.cast(labels, "int32"), logits.shape[-1]

    @ops.custom_gradient
    def cross_entropy(logits):
        probabilities = ops.softmax(logits)
        # The largest logit has the probability exp(largest - log of the sum): one softmax serves
        # the loss and its gradient, and no sum of exponentials is made beside it.
        log_sum = ops.max(logits, axis=-1) - ops.log(ops.max(probabilities, axis=-1))
        at_label = ops.take_along_axis(logits, labels[..., None], axis=-1)[..., 0]
        mean = ops.mean(logits, axis=-1)

        def gradient(*arguments, upstream=None):
            (upstream,) = arguments if upstream is None else (upstream,)
            targets = (1.0 - smoothing) * ops.one_hot(labels, classes) + smoothing / classes
            return (probabilities - targets) * upstream[..., None]

        return log_sum - (1.0 - smoothing) * at_label - smoothing * mean, gradient

    return cross_entropy(ops.cast(logits, "float32"))

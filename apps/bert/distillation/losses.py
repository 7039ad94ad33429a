"""What a student learns from a teacher; every loss is a mean over the rows of a batch.

`real` is bool (B, T), True for a real token: padding counts for nothing.
"""

from keras import ops


def hidden_loss(student, teacher, real):
    """Mean squared error of hidden states (B, T, D) at real positions (TinyBERT, equation 8)."""
    by_position = ops.mean(ops.square(_float(student) - _float(teacher)), axis=-1)
    return _mean_over(by_position, real)


def attention_loss(student, teacher, real):
    """Mean squared error of the raw scores (B, A, T, T) of all heads (TinyBERT, equation 7)."""
    squares = ops.mean(ops.square(_float(student) - _float(teacher)), axis=1)
    both = ops.logical_and(real[:, :, None], real[:, None, :])
    return _mean_over(squares, both)


def patient_loss(student, teacher):
    """Squared distance of normalised first positions of (B, T, D) (BERT-PKD, equation 7)."""
    first = [ops.normalize(_float(hidden)[:, 0], axis=-1) for hidden in (student, teacher)]
    return ops.mean(ops.sum(ops.square(first[0] - first[1]), axis=-1))


def cosine_loss(student, teacher, real):
    """One minus the cosine of hidden states (B, T, D) at real positions (DistilBERT, section 3)."""
    parts = [ops.normalize(_float(hidden), axis=-1) for hidden in (student, teacher)]
    return _mean_over(1.0 - ops.sum(parts[0] * parts[1], axis=-1), real)


def _mean_over(values, allowed):
    """Mean of the allowed values of each row, then of the rows, which count alike."""
    allowed = ops.cast(allowed, values.dtype)
    axes = tuple(range(1, len(values.shape)))
    means = ops.sum(values * allowed, axis=axes) / ops.maximum(ops.sum(allowed, axis=axes), 1.0)
    return ops.mean(means)


def _float(tensor):
    return ops.cast(tensor, "float32")

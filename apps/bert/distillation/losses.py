"""What a student learns from a teacher; every loss is a mean over the rows of a batch.

`real` is bool (B, T), True for a real token: padding counts for nothing. `row_items`, int (B,), is
what each row counts: where the predictions' loss is a mean over tokens, a row counts there and here
as often as it has tokens, however the rows are spread over devices.
"""

from keras import ops


def hidden_loss(student, teacher, real, row_items):
    """Mean squared error of hidden states (B, T, D) at real positions (TinyBERT, equation 8)."""
    by_position = ops.mean(ops.square(_float(student) - _float(teacher)), axis=-1)
    return _mean_over(by_position, real, row_items)


def attention_loss(student, teacher, real, row_items):
    """Mean squared error of the raw scores (B, A, T, T) of all heads (TinyBERT, equation 7)."""
    squares = ops.mean(ops.square(_float(student) - _float(teacher)), axis=1)
    both = ops.logical_and(real[:, :, None], real[:, None, :])
    return _mean_over(squares, both, row_items)


def patient_loss(student, teacher, row_items):
    """Squared distance of normalised first positions of (B, T, D) (BERT-PKD, equation 7)."""
    first = [ops.normalize(_float(hidden)[:, 0], axis=-1) for hidden in (student, teacher)]
    return _mean_of_rows(ops.sum(ops.square(first[0] - first[1]), axis=-1), row_items)


def cosine_loss(student, teacher, real, row_items):
    """One minus the cosine of hidden states (B, T, D) at real positions (DistilBERT, section 3)."""
    parts = [ops.normalize(_float(hidden), axis=-1) for hidden in (student, teacher)]
    return _mean_over(1.0 - ops.sum(parts[0] * parts[1], axis=-1), real, row_items)


def _mean_over(values, allowed, row_items):
    """Mean of the allowed values of each row, then of the rows."""
    allowed = ops.cast(allowed, values.dtype)
    axes = tuple(range(1, len(values.shape)))
    means = ops.sum(values * allowed, axis=axes) / ops.maximum(ops.sum(allowed, axis=axes), 1.0)
    return _mean_of_rows(means, row_items)


def _mean_of_rows(values, row_items):
    counts = ops.cast(row_items, values.dtype)
    return ops.sum(values * counts) / ops.maximum(ops.sum(counts), 1.0)


def _float(tensor):
    return ops.cast(tensor, "float32")

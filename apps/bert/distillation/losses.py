"""Losses between the layers of a student and a teacher, averaged over the rows of a batch.

Padding has no weight. `item_counts` are the weights of the rows: where the prediction loss is a
mean over tokens, a row counts as often as it has tokens in both losses, however rows are split over
devices.
"""

from keras import ops


def hidden_loss(student, teacher, padding_mask, item_counts):
    """Mean squared error of hidden states (TinyBERT, equation 8).

    Args:
        student, teacher: float (B, T, D). Hidden states.
        padding_mask: bool (B, T), True for a real token.
        item_counts: int (B,). Weight of each row.
    """
    by_position = ops.mean(ops.square(_float(student) - _float(teacher)), axis=-1)
    return _mean_over(by_position, padding_mask, item_counts)


def attention_loss(student, teacher, padding_mask, item_counts):
    """Mean squared error of the raw scores of all heads (TinyBERT, equation 7).

    Args:
        student, teacher: float (B, A, T, T). Raw attention scores.
        padding_mask: bool (B, T), True for a real token.
        item_counts: int (B,). Weight of each row.
    """
    squares = ops.mean(ops.square(_float(student) - _float(teacher)), axis=1)
    both = ops.logical_and(padding_mask[:, :, None], padding_mask[:, None, :])
    return _mean_over(squares, both, item_counts)


def patient_loss(student, teacher, item_counts):
    """Squared distance of normalised first positions (BERT-PKD, equation 7).

    Args:
        student, teacher: float (B, T, D). Hidden states.
        item_counts: int (B,). Weight of each row.
    """
    first = [ops.normalize(_float(hidden)[:, 0], axis=-1) for hidden in (student, teacher)]
    return _mean_of_rows(ops.sum(ops.square(first[0] - first[1]), axis=-1), item_counts)


def cosine_loss(student, teacher, padding_mask, item_counts):
    """One minus the cosine of hidden states (DistilBERT, section 3).

    Args:
        student, teacher: float (B, T, D). Hidden states.
        padding_mask: bool (B, T), True for a real token.
        item_counts: int (B,). Weight of each row.
    """
    parts = [ops.normalize(_float(hidden), axis=-1) for hidden in (student, teacher)]
    return _mean_over(1.0 - ops.sum(parts[0] * parts[1], axis=-1), padding_mask, item_counts)


def _mean_over(values, allowed, item_counts):
    """Mean over the allowed values of each row, then over the rows."""
    allowed = ops.cast(allowed, values.dtype)
    axes = tuple(range(1, len(values.shape)))
    means = ops.sum(values * allowed, axis=axes) / ops.maximum(ops.sum(allowed, axis=axes), 1.0)
    return _mean_of_rows(means, item_counts)


def _mean_of_rows(values, item_counts):
    counts = ops.cast(item_counts, values.dtype)
    return ops.sum(values * counts) / ops.maximum(ops.sum(counts), 1.0)


def _float(tensor):
    return ops.cast(tensor, "float32")

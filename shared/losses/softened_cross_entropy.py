"""Cross-entropy with a teacher's softened predictions."""

from keras import ops


def softened_cross_entropy(teacher, logits, temperature=1.0):
    """Cross-entropy of a student's predictions with a teacher's, both softened by a temperature.

    Multiplied by the square of the temperature, so that gradients do not shrink with it.

    Args:
        teacher, logits: float tensors (..., C), of the teacher and of the student.
        temperature: float.

    Returns:
        float32 tensor (...).

    Reference: [Hinton et al., 2015](https://arxiv.org/abs/1503.02531)
    """
    teacher, logits = ops.cast(teacher, "float32"), ops.cast(logits, "float32")
    soft = ops.softmax(teacher / temperature)
    return -ops.sum(soft * ops.log_softmax(logits / temperature), axis=-1) * temperature**2

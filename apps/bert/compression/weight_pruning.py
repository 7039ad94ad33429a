"""Magnitude pruning: sets the smallest weights to zero.

Reference: [Han et al., 2015](https://arxiv.org/abs/1506.02626);
[Gordon et al., 2020](https://arxiv.org/abs/2002.08307) for BERT
"""

import keras
import numpy as np


def prune_weights(model: keras.Model, sparsity: float) -> float:
    """Sets the smallest weights of all matrices of the encoder to zero, with one threshold.

    Args:
        model: a model with `encoder`, changed in place.
        sparsity: float in [0, 1). Share of the weights to set to zero.

    Returns:
        The share of zeros afterwards.
    """
    matrices = [weight for weight in model.encoder.trainable_weights if len(weight.shape) == 2]
    values = [np.array(matrix) for matrix in matrices]
    sizes = np.abs(np.concatenate([value.ravel() for value in values]))
    count = int(sparsity * len(sizes))
    threshold = np.partition(sizes, count - 1)[count - 1] if count else -1.0
    zeros = 0
    for matrix, value in zip(matrices, values, strict=True):
        value[np.abs(value) <= threshold] = 0.0
        matrix.assign(value)
        zeros += int((value == 0).sum())
    return zeros / len(sizes)

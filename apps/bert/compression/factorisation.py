"""Token embeddings as the product of two smaller matrices.

Reference: [Lan et al., 2020, section 3.1](https://arxiv.org/abs/1909.11942); the best two matrices
are those of the singular value decomposition (Eckart and Young, 1936)
"""

import dataclasses

import keras
import numpy as np

from apps.bert.encoder_config import EncoderConfig


def factorised_config(config: EncoderConfig, width: int) -> EncoderConfig:
    """The configuration with factorised embeddings of this width."""
    return dataclasses.replace(config, embedding_dim=width)


def copy_factorised(source: keras.Model, target: keras.Model) -> float:
    """Copies the weights of a model into one with factorised embeddings.

    Returns:
        The share of the embeddings' squared norm that is lost.
    """
    values = {weight.path: np.array(weight) for weight in source.weights}
    encoder = target.encoder
    table = values[source.encoder.token_embedding.embeddings.path]
    left, sizes, right = np.linalg.svd(table, full_matrices=False)
    width = encoder.config.embedding_dim
    root = np.sqrt(sizes[:width])
    values[encoder.token_embedding.embeddings.path] = left[:, :width] * root
    values[encoder.embedding_projection.kernel.path] = root[:, None] * right[:width]
    values[encoder.embedding_projection.bias.path] = np.zeros(table.shape[1])
    for weight in target.weights:
        weight.assign(values[weight.path])
    return float((sizes[width:] ** 2).sum() / (sizes**2).sum())

"""Head pruning: removes the attention heads that the loss depends on least.

Reference: [Michel et al., 2019](https://arxiv.org/abs/1905.10650)
"""

import dataclasses
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from apps.bert.encoder_config import EncoderConfig


def head_importance(model: keras.Model, batches: Iterable[Any]) -> list[np.ndarray]:
    """Sensitivity of the loss to a gate on each head's output: |dL / d gate|.

    A gate on a head's output scales its rows of the output matrix, so that the derivative is the
    product of these rows with their gradient. Layers are put on one scale by their norm, as in the
    paper.

    Args:
        model: a built model with `encoder` and `compute_loss`.
        batches: (x, y); smaller batches are closer to the paper's mean over examples.

    Returns:
        The importance of the heads of each block, float (A,).
    """
    attentions = [block.attention for block in model.encoder.blocks]
    kernels = [attention.output_dense.kernel for attention in attentions]
    sums = [np.zeros(attention.num_heads) for attention in attentions]

    @tf.function(autograph=False, reduce_retracing=True)
    def gradients(x, y):
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x=x, y=y, y_pred=model(x, training=False), training=False)
        return tape.gradient(loss, [kernel.value for kernel in kernels])

    for x, y in batches:
        for total, attention, gradient in zip(sums, attentions, gradients(x, y), strict=True):
            product = np.array(attention.output_dense.kernel) * gradient.numpy()
            total += np.abs(product.reshape(attention.num_heads, -1).sum(axis=1))
    return [total / max(np.linalg.norm(total), 1e-12) for total in sums]


def heads_to_keep(importance: list[np.ndarray], pruned: int) -> list[np.ndarray]:
    """The heads that remain when the least important are removed; each block keeps one.

    Args:
        importance: see `head_importance`.
        pruned: number of heads to remove.

    Returns:
        The ascending indices of the remaining heads of each block.
    """
    ranked = sorted(
        (float(value), block, head)
        for block, values in enumerate(importance)
        for head, value in enumerate(values)
    )
    kept = [set(range(len(values))) for values in importance]
    for _, block, head in ranked:
        if pruned and len(kept[block]) > 1:
            kept[block].discard(head)
            pruned -= 1
    return [np.array(sorted(heads)) for heads in kept]


def pruned_config(config: EncoderConfig, kept: list[np.ndarray]) -> EncoderConfig:
    """The configuration with the remaining heads, see `heads_to_keep`."""
    return dataclasses.replace(config, heads_per_layer=tuple(len(heads) for heads in kept))


def copy_heads(source: keras.Model, target: keras.Model, kept: list[np.ndarray]) -> None:
    """Copies the weights of a model into one with fewer heads.

    Args:
        source: the model.
        target: a model of its `pruned_config`.
        kept: the remaining heads, see `heads_to_keep`.
    """
    values = {weight.path: np.array(weight) for weight in source.weights}
    for block, heads in enumerate(kept):
        attention = source.encoder.blocks[block].attention
        columns = (heads[:, None] * attention.head_dim + np.arange(attention.head_dim)).ravel()
        width = attention.num_heads * attention.head_dim
        chosen = np.concatenate([columns + part * width for part in range(3)])
        dense = attention.query_key_value
        values[dense.kernel.path] = values[dense.kernel.path][:, chosen]
        values[dense.bias.path] = values[dense.bias.path][chosen]
        kernel = attention.output_dense.kernel.path
        values[kernel] = values[kernel][columns]
    for weight in target.weights:
        weight.assign(values[weight.path])

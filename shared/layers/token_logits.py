"""Logits of tokens from hidden states, for decoding step by step."""

from keras import ops


def output_kernel(embedding, dtype):
    """Output weights (D, V), turned round once for all steps where they are an embedding's.

    Args:
        embedding: a built `keras.layers.ReversibleEmbedding`.
        dtype: of the result.
    """
    if not embedding.tie_weights:
        return ops.cast(embedding.reverse_embeddings, dtype)
    return ops.transpose(ops.cast(embedding.embeddings, dtype))


def next_logits(hidden, kernel):
    """Logits (B, K, V) of hidden states (B, K, D), as one product of matrices."""
    flat = ops.matmul(ops.reshape(hidden, (-1, kernel.shape[0])), kernel)
    return ops.reshape(flat, (-1, ops.shape(hidden)[1], kernel.shape[-1]))

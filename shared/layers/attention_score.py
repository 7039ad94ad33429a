"""Attention of single queries on a memory: Bahdanau's additive score and the three of Luong.

For a query q and the vectors m_s of a memory each layer computes

    e_s = score(q, m_s)
    a   = softmax(e)
    c   = sum of a_s m_s

The part of the score that depends on the memory alone, its keys, can be made once for all steps
of a decoder:

    keys = score.keys(memory)
    context, weights = score.attend(queries, keys, memory, padding_mask)
"""

import keras
from keras import ops

PADDING_SCORE = -1e9  # Its weight is exactly zero.


class AttentionScore(keras.layers.Layer):
    """Attends to a memory; a subclass says with which score.

    Call arguments:
        queries: float tensor (B, K, Q).
        memory: float tensor (B, S, M).
        padding_mask: bool tensor (B, S), True for real positions, or None.

    Returns:
        Context (B, K, M) and weights (B, K, S).
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def keys(self, memory):
        """The part of the score that depends on the memory (B, S, M) alone: (B, S, A)."""
        raise NotImplementedError

    def scores(self, queries, keys):
        """Scores (B, K, S) of queries (B, K, Q) with keys (B, S, A)."""
        raise NotImplementedError

    def call(self, queries, memory, padding_mask=None):
        return self.attend(queries, self.keys(memory), memory, padding_mask)

    def attend(self, queries, keys, memory, padding_mask=None):
        """The same as the call, with keys that were made before.

        Args:
            queries, memory, padding_mask: see the call.
            keys: float tensor (B, S, A), from `keys`.
        """
        # Half precision would lose small weights of long sequences.
        scores = ops.cast(self.scores(queries, keys), "float32")
        if padding_mask is not None:
            scores = ops.where(padding_mask[:, None, :], scores, PADDING_SCORE)
        weights = ops.cast(ops.softmax(scores, axis=-1), memory.dtype)
        return ops.matmul(weights, memory), weights

    def _add_kernel(self, name, *shape):
        return self.add_weight(shape=shape, name=name, initializer="glorot_uniform")

    def _cast(self, weight):
        # Weights are also used outside `call`, where Keras does not cast them.
        return ops.cast(weight, self.compute_dtype)

    def compute_output_shape(self, queries_shape, memory_shape):
        batch, length = queries_shape[:2]
        return (batch, length, memory_shape[-1]), (batch, length, memory_shape[1])


@keras.saving.register_keras_serializable(package="kerasuite")
class DotScore(AttentionScore):
    """score(q, m) = q . m; queries and memory have the same width.

    Call arguments and returns: see `AttentionScore`.

    Raises:
        ValueError: if the widths differ.

    Reference: [Luong et al., 2015, section 3.1](https://arxiv.org/abs/1508.04025)
    """

    def build(self, queries_shape, memory_shape):
        if queries_shape[-1] != memory_shape[-1]:
            raise ValueError(
                f"the dot score needs queries as wide as the memory, not {queries_shape[-1]} and "
                f"{memory_shape[-1]}; the general score takes any"
            )

    def keys(self, memory):
        return memory

    def scores(self, queries, keys):
        return ops.matmul(queries, ops.transpose(keys, (0, 2, 1)))


@keras.saving.register_keras_serializable(package="kerasuite")
class GeneralScore(AttentionScore):
    """score(q, m) = q^T W m.

    Call arguments and returns: see `AttentionScore`.

    Reference: [Luong et al., 2015, section 3.1](https://arxiv.org/abs/1508.04025)
    """

    def build(self, queries_shape, memory_shape):
        self.kernel = self._add_kernel("kernel", memory_shape[-1], queries_shape[-1])

    def keys(self, memory):
        return ops.matmul(memory, self._cast(self.kernel))

    def scores(self, queries, keys):
        return ops.matmul(queries, ops.transpose(keys, (0, 2, 1)))


@keras.saving.register_keras_serializable(package="kerasuite")
class AdditiveScore(AttentionScore):
    """score(q, m) = v^T tanh(W q + U m), a network with one hidden layer and no biases.

    Args:
        hidden_dim: int. Width A of the hidden layer.

    Call arguments and returns: see `AttentionScore`.

    Reference: [Bahdanau et al., 2015, appendix A.1.2](https://arxiv.org/abs/1409.0473)
    """

    def __init__(self, hidden_dim: int, **kwargs):
        super().__init__(**kwargs)
        self.hidden_dim = hidden_dim

    def build(self, queries_shape, memory_shape):
        self.query_kernel = self._add_kernel("query_kernel", queries_shape[-1], self.hidden_dim)
        self.memory_kernel = self._add_kernel("memory_kernel", memory_shape[-1], self.hidden_dim)
        self.scale = self._add_kernel("scale", self.hidden_dim, 1)

    def keys(self, memory):
        return ops.matmul(memory, self._cast(self.memory_kernel))

    def scores(self, queries, keys):
        return self._network(ops.matmul(queries, self._cast(self.query_kernel)), keys)

    def _network(self, queries, keys):
        hidden = ops.tanh(queries[:, :, None, :] + keys[:, None, :, :])
        return ops.matmul(hidden, self._cast(self.scale))[..., 0]

    def get_config(self):
        return {**super().get_config(), "hidden_dim": self.hidden_dim}


@keras.saving.register_keras_serializable(package="kerasuite")
class ConcatScore(AdditiveScore):
    """score(q, m) = v^T tanh(W [q; m]), with one matrix for both.

    As a function it is the additive score; the one matrix is initialised for the joint width.

    Args:
        hidden_dim: int. Width A of the hidden layer.

    Call arguments and returns: see `AttentionScore`.

    Reference: [Luong et al., 2015, section 3.1](https://arxiv.org/abs/1508.04025)
    """

    def build(self, queries_shape, memory_shape):
        self.query_dim = queries_shape[-1]
        width = self.query_dim + memory_shape[-1]
        self.kernel = self._add_kernel("kernel", width, self.hidden_dim)
        self.scale = self._add_kernel("scale", self.hidden_dim, 1)

    def keys(self, memory):
        return ops.matmul(memory, self._cast(self.kernel)[self.query_dim :])

    def scores(self, queries, keys):
        return self._network(ops.matmul(queries, self._cast(self.kernel)[: self.query_dim]), keys)


def make_score(kind: str, hidden_dim: int, **kwargs) -> AttentionScore:
    """The layer of a score by its name.

    Args:
        kind: "additive", "dot", "general" or "concat".
        hidden_dim: int. Width of the hidden layer, where the score has one.
        **kwargs: of the layer.

    Raises:
        ValueError: if the kind is unknown.
    """
    if kind in ("additive", "concat"):
        score = AdditiveScore if kind == "additive" else ConcatScore
        return score(hidden_dim, **kwargs)
    if kind in ("dot", "general"):
        return (DotScore if kind == "dot" else GeneralScore)(**kwargs)
    raise ValueError(f"attention is additive, dot, general or concat, not {kind!r}")

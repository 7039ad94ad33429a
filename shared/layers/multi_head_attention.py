"""Multi-head attention over a whole sequence, over another one, or one position at a time."""

import keras
from keras import ops

from shared.layers.dropout import Dropout


@keras.saving.register_keras_serializable(package="kerasuite")
class MultiHeadAttention(keras.layers.Layer):
    """Scaled dot-product attention in several heads.

    With one input it is self-attention; with `memory` the queries come from the inputs, keys
    and values from the memory. Keys and values may be kept between calls: `keys_and_values`
    makes those of a memory once, `step` adds those of one more position to a cache.

    Args:
        num_heads: int. Number of heads H.
        hidden_dim: int. Width D of the output; a multiple of `num_heads` if that gives the head
            width.
        dropout: float. Dropout of the attention weights.
        head_dim: int. Width d of a head, by default D / H; a layer whose heads were pruned has
            fewer than D / d.

    Call arguments:
        inputs: float tensor (B, T, D).
        memory: float tensor (B, S, E), or None for self-attention.
        attention_mask: bool tensor that broadcasts to (B, H, T, S), True where attention is
            allowed; see `padding_attention_mask` and `causal_attention_mask`.
        return_weights: bool. Whether to return the attention weights (B, H, T, S) as well.
        return_scores: bool. Whether to return the scores that they are the softmax of instead,
            before masking: what a student of another size can learn from.

    Returns:
        Tensor (B, T, D), or the pair (tensor, weights or scores), these in float32.

    Raises:
        ValueError: if `hidden_dim` does not divide by `num_heads` and no `head_dim` is given.

    Reference: [Vaswani et al., 2017, section 3.2](https://arxiv.org/abs/1706.03762)
    """

    def __init__(
        self,
        num_heads: int,
        hidden_dim: int,
        dropout: float = 0.0,
        head_dim: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if head_dim is None and hidden_dim % num_heads:
            raise ValueError(f"hidden_dim {hidden_dim} does not divide by num_heads {num_heads}")
        self.num_heads = num_heads
        self.hidden_dim = hidden_dim
        self.dropout = dropout
        self.head_dim = head_dim or hidden_dim // num_heads

    def build(self, inputs_shape, memory_shape=None):
        # One product for keys and values is faster than two.
        self.query = self._dense("query", 1, inputs_shape)
        self.key_value = self._dense("key_value", 2, memory_shape or inputs_shape)
        self.output_dense = keras.layers.Dense(
            self.hidden_dim, name="output", dtype=self.dtype_policy
        )
        self.output_dense.build((*inputs_shape[:-1], self.num_heads * self.head_dim))
        self.weights_dropout = Dropout(self.dropout, dtype=self.dtype_policy)
        self.built = True

    def _dense(self, name: str, parts: int, input_shape) -> keras.layers.Dense:
        # Each part is initialised as a matrix of its own (Glorot's fan-out counts one part).
        scale = keras.initializers.VarianceScaling((1 + parts) / 2, "fan_avg", "uniform")
        dense = keras.layers.Dense(
            parts * self.num_heads * self.head_dim,
            kernel_initializer=scale if parts > 1 else "glorot_uniform",
            name=name,
            dtype=self.dtype_policy,
        )
        dense.build(input_shape)
        return dense

    def call(
        self,
        inputs,
        memory=None,
        attention_mask=None,
        return_weights=False,
        return_scores=False,
        training=None,
    ):
        keys, values = self.keys_and_values(inputs if memory is None else memory)
        scores = self.scores(inputs, keys)
        outputs, weights = self.mix(scores, values, attention_mask, training)
        if return_scores:
            return outputs, scores
        return (outputs, weights) if return_weights else outputs

    def keys_and_values(self, memory):
        """Keys and values (B, H, S, d) of a memory (B, S, E)."""
        keys, values = ops.split(self._heads_of(self.key_value, memory), 2, axis=1)
        return keys, values

    def attend(self, inputs, keys, values, mask=None, training=None):
        """Queries of `inputs` (B, T, D) to keys and values (B, H, S, d).

        Returns:
            Outputs (B, T, D) and float32 weights (B, H, T, S).
        """
        return self.mix(self.scores(inputs, keys), values, mask, training)

    def scores(self, inputs, keys):
        """How well queries of `inputs` (B, T, D) match keys (B, H, S, d): float32 (B, H, T, S)."""
        queries = self._heads_of(self.query, inputs) * self.head_dim**-0.5
        # In float32 from here on, because half precision loses small weights of long sequences.
        return ops.cast(ops.matmul(queries, ops.transpose(keys, (0, 1, 3, 2))), "float32")

    def mix(self, scores, values, mask=None, training=None):
        """Outputs (B, T, D) and weights (B, H, T, S) of scores and values (B, H, S, d)."""
        weights = _masked_softmax(scores, mask)
        dropped = self.weights_dropout(ops.cast(weights, values.dtype), training=training)
        mixed = ops.transpose(ops.matmul(dropped, values), (0, 2, 1, 3))
        joined = ops.reshape(mixed, (-1, self.num_heads * self.head_dim))
        shape = (-1, ops.shape(mixed)[1], self.hidden_dim)
        return ops.reshape(self.output_dense(joined), shape), weights

    def step(self, inputs, cache, places, mask):
        """Self-attention of K further positions, which are written to a cache first.

        Args:
            inputs: float tensor (B, K, D).
            cache: pair of keys and values, (B, H, S, d) each.
            places: int32 tensor (B, H, K, 3). Where in the cache the positions go, see
                `cache_places`.
            mask: bool tensor that broadcasts to (B, H, K, S): which slots each may see, its own
                included.

        Returns:
            Outputs (B, K, D) and the new cache.
        """
        keys, values = self.keys_and_values(inputs)
        cache = tuple(
            ops.scatter_update(kept, places, new)
            for kept, new in zip(cache, (keys, values), strict=True)
        )
        return self.attend(inputs, *cache, mask)[0], cache

    def _heads_of(self, dense, inputs):
        """What a dense layer makes of (B, T, E), by heads: (B, A, T, d).

        It gets all positions as the rows of one matrix, because TensorFlow makes one operation
        of such a product and its bias.
        """
        flat = dense(ops.reshape(inputs, (-1, inputs.shape[-1])))
        shape = (-1, ops.shape(inputs)[1], dense.units // self.head_dim, self.head_dim)
        heads = ops.reshape(flat, shape)
        return ops.transpose(heads, (0, 2, 1, 3))

    def compute_output_spec(
        self, inputs, memory=None, return_weights=False, return_scores=False, **_
    ):
        outputs = keras.KerasTensor((*inputs.shape[:2], self.hidden_dim), self.compute_dtype)
        if not (return_weights or return_scores):
            return outputs
        length = (inputs if memory is None else memory).shape[1]
        shape = (inputs.shape[0], self.num_heads, inputs.shape[1], length)
        return outputs, keras.KerasTensor(shape, "float32")

    def compute_output_shape(self, inputs_shape, memory_shape=None):
        return (*inputs_shape[:2], self.hidden_dim)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "hidden_dim": self.hidden_dim,
            "dropout": self.dropout,
            "head_dim": self.head_dim,
        }


def padding_attention_mask(padding_mask):
    """Lets all positions see the real ones: bool (B, S) to (B, 1, 1, S)."""
    return padding_mask[:, None, None, :]


def causal_attention_mask(length):
    """Lets each position see itself and those before it: bool (1, 1, length, length)."""
    places = ops.arange(length)
    return (places[:, None] >= places[None, :])[None, None]


def cache_places(rows, heads, slots):
    """Where K positions go in caches (B, H, S, d), for `MultiHeadAttention.step`.

    Args:
        rows, heads: int or int32 scalar. B and H.
        slots: int32 tensor (K,).

    Returns:
        int32 tensor (B, H, K, 3), the same for all caches of a step.
    """
    grid = ops.meshgrid(
        ops.arange(rows), ops.arange(heads), ops.cast(slots, "int32"), indexing="ij"
    )
    return ops.stack(grid, axis=-1)


def _masked_softmax(scores, mask):
    if mask is not None:
        # Added, because the gradient of a sum costs nothing.
        scores = scores + ops.where(mask, 0.0, -1e9)
    return ops.softmax(scores, axis=-1)

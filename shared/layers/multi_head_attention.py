"""Multi-head attention over a whole sequence, over another one, or one position at a time."""

import keras
from keras import ops

from shared.layers.dropout import Dropout


@keras.saving.register_keras_serializable(package="kerasuite")
class MultiHeadAttention(keras.layers.Layer):
    """Scaled dot-product attention in several heads.

    Built for one input it is self-attention; built for a `memory` too, the queries come from the
    inputs, keys and values from the memory. Keys and values may be kept between calls:
    `keys_and_values` makes those of a memory once, `step` adds those of one more position of
    self-attention to a cache.

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
        first_only: bool. Whether only the first position asks, in self-attention; T is 1 in what
            is returned.

    Returns:
        Tensor (B, T, D), or the pair (tensor, weights or scores), these in float32.

    Raises:
        ValueError: if `hidden_dim` does not divide by `num_heads` and no `head_dim` is given, if
            the layer is called with a memory and was built without, or the other way round, or if
            `first_only` is asked for with a memory.

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
        # Of the same inputs one product is faster than several.
        self.is_self_attention = memory_shape is None
        if self.is_self_attention:
            self.query_key_value = self._dense("query_key_value", 3, inputs_shape)
        else:
            self.query = self._dense("query", 1, inputs_shape)
            self.key_value = self._dense("key_value", 2, memory_shape)
        self.output_dense = keras.layers.Dense(
            self.hidden_dim, name="output", dtype=self.dtype_policy
        )
        self.output_dense.build((*inputs_shape[:-1], self.num_heads * self.head_dim))
        self.weights_dropout = Dropout(self.dropout, dtype=self.dtype_policy)
        self.built = True

    def _dense(self, name: str, parts: int, input_shape) -> keras.layers.Dense:
        inputs, width = input_shape[-1], self.num_heads * self.head_dim
        # Each part is initialised as a matrix of its own: Glorot's fan-out counts one part.
        scale = (inputs + parts * width) / (inputs + width)
        dense = keras.layers.Dense(
            parts * width,
            kernel_initializer=keras.initializers.VarianceScaling(scale, "fan_avg", "uniform"),
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
        first_only=False,
        training=None,
    ):
        if (memory is None) != self.is_self_attention:
            built = "inputs alone" if self.is_self_attention else "inputs and a memory"
            raise ValueError(f"{self.name} was built for {built}; call it with the same")
        if first_only and memory is not None:
            raise ValueError("first_only is for self-attention; leave out the memory")
        if first_only:
            mask = None if attention_mask is None else attention_mask[:, :, :1]
            outputs, weights, scores = self._of_first(inputs, mask, training)
        else:
            if memory is None:
                queries, keys, values = self._heads_of(self.query_key_value(_rows(inputs)), inputs)
            else:
                queries, keys, values = self.queries(inputs), *self.keys_and_values(memory)
            scores = self.scores(queries, keys)
            outputs, weights = self.mix(scores, values, attention_mask, training)
        if return_scores:
            return outputs, scores
        return (outputs, weights) if return_weights else outputs

    def queries(self, inputs):
        """Queries (B, H, T, d) of inputs (B, T, D) to a memory."""
        return self._heads_of(self.query(_rows(inputs)), inputs)[0]

    def keys_and_values(self, memory):
        """Keys and values (B, H, S, d) of a memory (B, S, E)."""
        return self._heads_of(self.key_value(_rows(memory)), memory)

    def attend(self, inputs, keys, values, mask=None, training=None):
        """What inputs (B, T, D) read of the keys and values (B, H, S, d) of a memory.

        Returns:
            Outputs (B, T, D) and float32 weights (B, H, T, S).
        """
        return self.mix(self.scores(self.queries(inputs), keys), values, mask, training)

    def scores(self, queries, keys):
        """How well queries (B, H, T, d) match keys (B, H, S, d): float32 (B, H, T, S)."""
        products = ops.matmul(queries * self.head_dim**-0.5, ops.transpose(keys, (0, 1, 3, 2)))
        # In float32 from here on, because half precision loses small weights of long sequences.
        return ops.cast(products, "float32")

    def mix(self, scores, values, mask=None, training=None):
        """Outputs (B, T, D) and weights (B, H, T, S) of scores and values (B, H, S, d)."""
        weights, dropped = self._weights(scores, mask, values.dtype, training)
        mixed = ops.transpose(ops.matmul(dropped, values), (0, 2, 1, 3))
        joined = ops.reshape(mixed, (-1, self.num_heads * self.head_dim))
        shape = (-1, ops.shape(mixed)[1], self.hidden_dim)
        return ops.reshape(self.output_dense(joined), shape), weights

    def _weights(self, scores, mask, dtype, training):
        weights = _masked_softmax(scores, mask)
        return weights, self.weights_dropout(ops.cast(weights, dtype), training=training)

    def _of_first(self, inputs, mask, training):
        """Outputs, weights and scores of the first position's queries.

        One query needs no key of each position: q (K x + b) is (q K) x + q b. Nor a value of each:
        the sum of a_t (V x_t + b) is V (sum of a_t x_t) + b (sum of a_t).
        """
        shape = (3, self.num_heads, self.head_dim)
        kernel, bias = _kernel(self.query_key_value), self.query_key_value.bias
        query, key, value = ops.unstack(ops.reshape(kernel, (-1, *shape)), axis=1)
        query_bias, key_bias, value_bias = ops.unstack(ops.reshape(bias, shape))
        queries = ops.einsum("be,ehd->bhd", inputs[:, 0], query) + query_bias
        queries = queries * self.head_dim**-0.5
        asked = ops.einsum("bhd,ehd->bhe", queries, key)
        scores = ops.cast(ops.einsum("bhe,bte->bht", asked, inputs), "float32")
        scores = scores + ops.sum(ops.cast(queries * key_bias, "float32"), axis=-1, keepdims=True)
        scores = scores[:, :, None]
        weights, dropped = self._weights(scores, mask, inputs.dtype, training)
        read = ops.einsum("bht,bte->bhe", dropped[:, :, 0], inputs)
        mixed = ops.einsum("bhe,ehd->bhd", read, value) + ops.sum(dropped, axis=-1) * value_bias
        joined = ops.reshape(mixed, (-1, self.num_heads * self.head_dim))
        return self.output_dense(joined)[:, None], weights, scores

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
        queries, *new = self._heads_of(self.query_key_value(_rows(inputs)), inputs)
        keys, values = (
            ops.scatter_update(kept, places, added) for kept, added in zip(cache, new, strict=True)
        )
        return self.mix(self.scores(queries, keys), values, mask)[0], (keys, values)

    def _heads_of(self, rows, inputs):
        """One to three tensors (B, H, T, d) from the rows (B T, parts H d) of inputs (B, T, E)."""
        shape = (-1, ops.shape(inputs)[1])
        parts = rows.shape[-1] // (self.num_heads * self.head_dim)
        heads = ops.reshape(rows, (*shape, parts, self.num_heads, self.head_dim))
        return ops.unstack(ops.transpose(heads, (2, 0, 3, 1, 4)), parts)

    def compute_output_spec(
        self,
        inputs,
        memory=None,
        return_weights=False,
        return_scores=False,
        first_only=False,
        **_,
    ):
        rows, length = inputs.shape[0], 1 if first_only else inputs.shape[1]
        outputs = keras.KerasTensor((rows, length, self.hidden_dim), self.compute_dtype)
        if not (return_weights or return_scores):
            return outputs
        seen = (inputs if memory is None else memory).shape[1]
        return outputs, keras.KerasTensor((rows, self.num_heads, length, seen), "float32")

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


def _kernel(dense):
    """The matrix of a dense layer, also where its weights were quantised."""
    if dense.quantization_mode != "int8":
        return dense.kernel
    return ops.cast(dense.kernel, dense.compute_dtype) / dense.kernel_scale


def _rows(inputs):
    """All positions as the rows of one matrix: of its product and bias TensorFlow makes one."""
    return ops.reshape(inputs, (-1, inputs.shape[-1]))


def _masked_softmax(scores, mask):
    if mask is not None:
        # Added, because the gradient of a sum costs nothing.
        scores = scores + ops.where(mask, 0.0, -1e9)
    return ops.softmax(scores, axis=-1)

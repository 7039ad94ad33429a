"""Multi-head attention over a whole sequence, over another one, or one position at a time."""

from typing import Any, NamedTuple

import keras
from keras import ops

from shared.layers import first_position
from shared.layers.dropout import Dropout
from shared.layers.initializers import fresh_initializer, joint_initializer
from shared.layers.position_encoding import rotate

# Numbers in the keys of a single query up to which products of elements are faster.
FEW_NUMBERS = 1 << 16


class Attention(NamedTuple):
    """Everything that an attention computes.

    Attributes:
        outputs: float tensor (B, T, D).
        weights: float32 tensor (B, H, T, S), the softmax of the masked scores.
        scores: float32 tensor (B, H, T, S), not masked, for distillation.
    """

    outputs: Any
    weights: Any
    scores: Any


@keras.saving.register_keras_serializable(package="kerasuite")
class MultiHeadAttention(keras.layers.Layer):
    """Scaled dot-product attention in several heads.

        MultiHead(Q, K, V) = Concat(head_1, ..., head_H) W_O
        head_i = Attention(Q W_Q_i, K W_K_i, V W_V_i)
        Attention(Q, K, V) = softmax(Q K^T / sqrt(d)) V

    Built for one input it is self-attention; built for a `memory` too, the queries come from the
    inputs, keys and values from the memory. `attend` also returns the attention weights and
    scores, `attend_from_first` those of the first position only. For incremental decoding,
    `keys_and_values` projects a memory once, and `step` adds positions to a cache.

    Args:
        num_heads: int. Number of heads H.
        hidden_dim: int. Width D of the output; a multiple of `num_heads` if that gives the head
            width.
        dropout: float. Dropout of the attention weights.
        head_dim: int. Width d of a head, by default D / H; a layer whose heads were pruned has
            fewer than D / d.
        kernel_initializer: str or `keras.initializers.Initializer`. Of W_Q, W_K, W_V and W_O, each
            as a matrix of its own.
        rotary: bool. Rotates queries and keys by their positions, see `position_encoding.rotate`;
            for self-attention.

    Call arguments:
        inputs: float tensor (B, T, D).
        memory: float tensor (B, S, E), or None for self-attention.
        attention_mask: bool tensor that broadcasts to (B, H, T, S), True where attention is
            allowed; see `padding_attention_mask` and `causal_attention_mask`.
        training: bool or None.

    Returns:
        Tensor (B, T, D).

    Raises:
        ValueError: if `hidden_dim` does not divide by `num_heads` and no `head_dim` is given, if
            the layer is called with a memory and was built without, or the other way round, or if
            `rotary` meets a memory or an odd width of heads.

    Reference: [Vaswani et al., 2017, section 3.2](https://arxiv.org/abs/1706.03762)
    """

    def __init__(
        self,
        num_heads: int,
        hidden_dim: int,
        dropout: float = 0.0,
        head_dim: int | None = None,
        kernel_initializer="glorot_uniform",
        rotary: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if head_dim is None and hidden_dim % num_heads:
            raise ValueError(f"hidden_dim {hidden_dim} does not divide by num_heads {num_heads}")
        self.num_heads = num_heads
        self.hidden_dim = hidden_dim
        self.dropout = dropout
        self.head_dim = head_dim or hidden_dim // num_heads
        self.kernel_initializer = kernel_initializer
        self.rotary = rotary
        if rotary and self.head_dim % 2:
            raise ValueError(f"rotary needs heads of an even width, not {self.head_dim}")

    def build(self, inputs_shape, memory_shape=None):
        self.is_self_attention = memory_shape is None
        if self.rotary and not self.is_self_attention:
            raise ValueError("rotary is for self-attention; a memory has positions of its own")
        if self.is_self_attention:
            self.query_key_value = self._projection("query_key_value", 3, inputs_shape)
        else:
            self.query = self._projection("query", 1, inputs_shape)
            self.key_value = self._projection("key_value", 2, memory_shape)
        self.output_dense = keras.layers.Dense(
            self.hidden_dim,
            kernel_initializer=fresh_initializer(self.kernel_initializer),
            name="output",
            dtype=self.dtype_policy,
        )
        self.output_dense.build((*inputs_shape[:-1], self.num_heads * self.head_dim))
        self.weights_dropout = Dropout(self.dropout, dtype=self.dtype_policy)
        self.built = True

    def _projection(self, name: str, parts: int, input_shape) -> keras.layers.Dense:
        """W_Q, W_K and W_V, or some of them, side by side in one matrix."""
        width = self.num_heads * self.head_dim
        dense = keras.layers.Dense(
            parts * width,
            kernel_initializer=joint_initializer(
                self.kernel_initializer, input_shape[-1], width, parts
            ),
            name=name,
            dtype=self.dtype_policy,
        )
        dense.build(input_shape)
        return dense

    # === The equations of the paper ===

    def call(self, inputs, memory=None, attention_mask=None, training=None):
        return self.attend(inputs, memory, attention_mask, training).outputs

    def attend(self, inputs, memory=None, attention_mask=None, training=None) -> Attention:
        """The same as the call, with the attention's weights and scores.

        Args:
            inputs, memory, attention_mask, training: see the call.
        """
        if (memory is None) != self.is_self_attention:
            built = "inputs alone" if self.is_self_attention else "inputs and a memory"
            raise ValueError(f"{self.name} was built for {built}; call it with the same")
        if memory is None:
            queries, keys, values = self.self_projections(inputs)
        else:
            queries, (keys, values) = self.queries(inputs), self.keys_and_values(memory)
        return self.attention(queries, keys, values, attention_mask, training)

    def self_projections(self, inputs, positions=None):
        """Q W_Q, K W_K and V W_V of inputs to themselves: (B, H, T, d) each.

        Args:
            inputs: float tensor (B, T, D).
            positions: int tensor (T,) or (B, T), by default from 0 on; for `rotary`.
        """
        queries, keys, values = self._heads(self.query_key_value(inputs))
        if self.rotary:
            if positions is None:
                positions = ops.arange(ops.shape(inputs)[1])
            queries, keys = rotate(queries, positions), rotate(keys, positions)
        return queries, keys, values

    def queries(self, inputs):
        """Q W_Q of inputs (B, T, D) to a memory: (B, H, T, d)."""
        return self._heads(self.query(inputs))[0]

    def keys_and_values(self, memory):
        """K W_K and V W_V of a memory (B, S, E): (B, H, S, d) each."""
        return self._heads(self.key_value(memory))

    def attention(self, queries, keys, values, mask=None, training=None) -> Attention:
        """softmax(Q K^T / sqrt(d)) V, its heads side by side, times W_O.

        Args:
            queries: float tensor (B, H, T, d).
            keys, values: float tensors (B, H, S, d).
            mask, training: see the call.
        """
        scores = ops.matmul(queries * self.head_dim**-0.5, ops.transpose(keys, (0, 1, 3, 2)))
        # In float32 from here on, because half precision loses small weights of long sequences.
        scores = ops.cast(scores, "float32")
        weights = masked_softmax(scores, mask, training)
        heads = ops.matmul(self._dropped(weights, values.dtype, training), values)
        return Attention(self.output_dense(join_heads(heads)), weights, scores)

    def _dropped(self, weights, dtype, training):
        return self.weights_dropout(ops.cast(weights, dtype), training=training)

    def _heads(self, projected) -> list:
        return split_heads(projected, self.num_heads, self.head_dim)

    # === The first position alone ===

    def attend_from_first(self, inputs, attention_mask=None, training=None) -> Attention:
        """Self-attention of the first position only: T is 1 in the result; see `first_position`.

        Args:
            inputs, attention_mask, training: see the call.

        Raises:
            ValueError: if the layer was built with a memory, or rotates.
        """
        if not self.is_self_attention or self.rotary:
            raise ValueError(
                f"{self.name} attends to a memory or rotates; only self-attention has this"
            )
        query, key, value = self._projections()
        scores = first_position.scores(inputs, query, key)
        mask = None if attention_mask is None else attention_mask[:, :, :1]
        weights = masked_softmax(scores, mask)
        heads = first_position.heads(self._dropped(weights, inputs.dtype, training), inputs, value)
        return Attention(self.output_dense(heads), weights, scores)

    def _projections(self) -> list:
        """Kernel (E, H, d) and bias (H, d) of queries, of keys and of values."""
        shape = (3, self.num_heads, self.head_dim)
        kernel, bias = _kernel(self.query_key_value), self.query_key_value.bias
        kernels = ops.unstack(ops.reshape(kernel, (-1, *shape)), axis=1)
        return list(zip(kernels, ops.unstack(ops.reshape(bias, shape)), strict=True))

    # === Incremental decoding ===

    def step(self, inputs, cache, write, mask, positions=None):
        """Self-attention of K further positions, which are written to a cache first.

        Args:
            inputs: float tensor (B, K, D).
            cache: pair of keys and values, (B, H, S, d) each.
            write: function of one of both and the K positions (B, H, K, d) to the first with the
                second in it, see `slot_writer`.
            mask: bool tensor that broadcasts to (B, H, K, S): which slots each may see, its own
                included.
            positions: int tensor (K,) or (B, K), for `rotary`.

        Returns:
            The outputs (B, K, D) and the new cache.
        """
        queries, *new = self.self_projections(inputs, positions)
        keys, values = (write(kept, added) for kept, added in zip(cache, new, strict=True))
        if inputs.shape[1] == 1:
            heads = attention_of_one(queries, keys, values, mask)
            return self.output_dense(join_heads(heads)), (keys, values)
        return self.attention(queries, keys, values, mask).outputs, (keys, values)

    def compute_output_shape(self, inputs_shape, memory_shape=None):
        return (*inputs_shape[:2], self.hidden_dim)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "hidden_dim": self.hidden_dim,
            "dropout": self.dropout,
            "head_dim": self.head_dim,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "rotary": self.rotary,
        }


def padding_attention_mask(padding_mask):
    """Lets all positions see the real ones: bool (B, S) to (B, 1, 1, S)."""
    # Not indexed with None: LiteRT has no such slices of bool.
    return ops.expand_dims(padding_mask, (1, 2))


def causal_attention_mask(length):
    """Lets each position see itself and those before it: bool (1, 1, length, length)."""
    positions = ops.arange(length)
    return (positions[:, None] >= positions[None, :])[None, None]


def slot_writer(batch_size, num_heads, slots):
    """Writes K positions into caches, for `MultiHeadAttention.step`.

    Args:
        batch_size, num_heads: int or int32 scalar. B and H.
        slots: int32 tensor (K,), indices along S.

    Returns:
        Function of a cache (B, H, S, d) and positions (B, H, K, d) to the cache with them.
    """
    grid = ops.meshgrid(
        ops.arange(batch_size), ops.arange(num_heads), ops.cast(slots, "int32"), indexing="ij"
    )
    indices = ops.stack(grid, axis=-1)
    return lambda kept, added: ops.scatter_update(kept, indices, added)


# === Products of all heads at once ===


def split_heads(projected, num_heads, head_dim) -> list:
    """The parts of a joint projection (B, T, parts H d), by head: (B, H, T, d) each.

    One transposition of all parts: product and heads take 0.89 to 0.93 of the CPU time that they
    take with one for each part (32 x 16 to 32 x 128 positions, width 256 and 384), forward and
    backward 0.94 to 0.99.

    Args:
        projected: float tensor (B, T, parts * H * d).
        num_heads, head_dim: int. H and d.
    """
    parts = projected.shape[-1] // (num_heads * head_dim)
    shape = (-1, ops.shape(projected)[1], parts, num_heads, head_dim)
    heads = ops.transpose(ops.reshape(projected, shape), (2, 0, 3, 1, 4))
    return ops.unstack(heads, parts)


def join_heads(heads):
    """Heads (B, H, T, d) side by side: (B, T, H d)."""
    side_by_side = ops.transpose(heads, (0, 2, 1, 3))
    width = heads.shape[1] * heads.shape[3]
    return ops.reshape(side_by_side, (-1, ops.shape(side_by_side)[1], width))


def masked_softmax(scores, mask, training=None):
    """Softmax of float32 scores over the last axis where the mask is True; zero elsewhere.

    The mask is added: forward and backward that takes 0.81 to 0.89 of the CPU time of choosing
    between the scores and -1e9, because the gradient of a sum costs nothing. Without gradients a
    mask that all sequences share, as a causal one, is chosen by: TensorFlow computes the product
    before it and the addition as one operation of oneDNN, which took an evaluation of a language
    model 36 times as long. With a mask for each sequence that operation is the faster way.
    """
    if mask is None:
        return ops.softmax(scores, axis=-1)
    if not training and mask.shape[0] == 1:
        return ops.softmax(ops.where(mask, scores, -1e9), axis=-1)
    return ops.softmax(scores + ops.where(mask, 0.0, -1e9), axis=-1)


def attention_of_one(query, keys, values, mask):
    """softmax(Q K^T / sqrt(d)) V of a single query, as a decoder has it in each step.

    A product of matrices takes TensorFlow 50 us and more, however small it is: for 4 x 192 keys of
    width 32 both products and the softmax take 146 us, element by element 28 us. For 32 times as
    many it is the other way round, 280 and 655 us (CPU time of two cores).

    Args:
        query: float tensor (B, H, 1, d).
        keys, values: float tensors (B, H, S, d).
        mask: bool tensor that broadcasts to (B, H, 1, S).

    Returns:
        Tensor (B, H, 1, d).
    """
    query = query * query.shape[-1] ** -0.5
    is_small = ops.size(keys) <= FEW_NUMBERS
    scores = ops.cond(
        is_small,
        lambda: ops.sum(keys * query, axis=-1, keepdims=True),
        lambda: ops.matmul(keys, ops.transpose(query, (0, 1, 3, 2))),
    )
    scores = ops.cast(ops.transpose(scores, (0, 1, 3, 2)), "float32")
    scores = ops.where(mask, scores, -1e9)
    # Keras's softmax, one operation of oneDNN, takes longer for so few numbers.
    powers = ops.exp(scores - ops.max(scores, axis=-1, keepdims=True))
    weights = ops.cast(powers / ops.sum(powers, axis=-1, keepdims=True), values.dtype)
    return ops.cond(
        is_small,
        lambda: ops.sum(ops.transpose(weights, (0, 1, 3, 2)) * values, axis=2, keepdims=True),
        lambda: ops.matmul(weights, values),
    )


def _kernel(dense):
    """The matrix of a dense layer, also where its weights were quantised."""
    if dense.quantization_mode != "int8":
        return dense.kernel
    return ops.cast(dense.kernel, dense.compute_dtype) / dense.kernel_scale

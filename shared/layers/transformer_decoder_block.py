"""A block of a Transformer's decoder: causal self-attention, cross-attention, feed-forward."""

import keras

from shared.layers.multi_head_attention import causal_attention_mask
from shared.layers.transformer_encoder_block import TransformerEncoderBlock


@keras.saving.register_keras_serializable(package="kerasuite")
class TransformerDecoderBlock(TransformerEncoderBlock):
    """Causal self-attention, attention to a memory, then a feed-forward network.

    Trained on whole sequences (`call`), used position by position (`step`): both give the same.

    Args: those of `TransformerEncoderBlock`.

    Call arguments:
        inputs: float tensor (B, T, D). Padding stands at the end, where nothing sees it.
        memory: float tensor (B, S, E), what the encoder gave.
        memory_mask: bool tensor that broadcasts to (B, H, T, S), True where a position of the
            memory may be seen.

    Returns:
        Tensor (B, T, D).

    Reference: [Vaswani et al., 2017, section 3.1](https://arxiv.org/abs/1706.03762)
    """

    def build(self, inputs_shape, memory_shape):
        super().build(inputs_shape)
        self.cross_attention = self._attention("cross_attention", inputs_shape, memory_shape)
        self.cross_norm = self._normalization("cross_norm", inputs_shape)

    def call(self, inputs, memory, memory_mask=None, training=None):
        causal = causal_attention_mask(keras.ops.shape(inputs)[1])
        outputs, _, _ = self._sublayers(
            inputs,
            lambda x: (self.attention(x, attention_mask=causal, training=training), None),
            *self.cross_attention.keys_and_values(memory),
            memory_mask,
            training,
        )
        return outputs

    def step(self, inputs, cache, places, mask, keys, values, memory_mask):
        """K further positions that see what a cache holds.

        Args:
            inputs: float tensor (B, K, D).
            cache, places, mask: see `MultiHeadAttention.step`.
            keys, values: of the memory, from `cross_attention.keys_and_values`.
            memory_mask: bool tensor that broadcasts to (B, H, K, S).

        Returns:
            Outputs (B, K, D), the new cache, and the weights on the memory (B, H, K, S).
        """
        return self._sublayers(
            inputs,
            lambda x: self.attention.step(x, cache, places, mask),
            keys,
            values,
            memory_mask,
        )

    def _sublayers(self, inputs, self_attention, keys, values, memory_mask, training=None):
        hidden, cache = self.residual(inputs, self.attention_norm, self_attention, training)
        hidden, weights = self.residual(
            hidden,
            self.cross_norm,
            lambda x: self.cross_attention.attend(x, keys, values, memory_mask, training),
            training,
        )
        outputs, _ = self.residual(
            hidden,
            self.feed_forward_norm,
            lambda x: (self.feed_forward(x), None),
            training,
        )
        return outputs, cache, weights

    def compute_output_spec(self, inputs, memory, memory_mask=None, **_):
        return keras.KerasTensor(inputs.shape, self.compute_dtype)

    def compute_output_shape(self, inputs_shape, memory_shape=None):
        return inputs_shape

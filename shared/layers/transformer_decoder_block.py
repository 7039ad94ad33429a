"""A block of a Transformer's decoder: causal self-attention, cross-attention, feed-forward."""

import keras
from keras import ops

from shared.layers.multi_head_attention import causal_attention_mask
from shared.layers.transformer_encoder_block import TransformerEncoderBlock


@keras.saving.register_keras_serializable(package="kerasuite")
class TransformerDecoderBlock(TransformerEncoderBlock):
    """Causal self-attention, attention to a memory, then a feed-forward network.

    Trained on whole sequences (`call`), used position by position (`step`), with equal results.

    Args: those of `TransformerEncoderBlock`.

    Call arguments:
        inputs: float tensor (B, T, D). Padding stands at the end, where nothing sees it.
        memory: float tensor (B, S, E), the output of the encoder.
        memory_mask: bool tensor that broadcasts to (B, H, T, S), True where a position of the
            memory may be seen.
        training: bool or None.

    Returns:
        Tensor (B, T, D).

    Reference: [Vaswani et al., 2017, section 3.1](https://arxiv.org/abs/1706.03762)
    """

    def build(self, inputs_shape, memory_shape):
        super().build(inputs_shape)
        self.cross_attention = self._attention("cross_attention", inputs_shape, memory_shape)
        self.cross_norm = self._normalization("cross_norm", inputs_shape)

    def call(self, inputs, memory, memory_mask=None, training=None):
        x = self.sublayer_input(inputs, self.attention_norm)
        causal = causal_attention_mask(ops.shape(inputs)[1])
        outputs = self.attention(x, attention_mask=causal, training=training)
        hidden = self.add(inputs, outputs, self.attention_norm, training)
        keys, values = self.cross_attention.keys_and_values(memory)
        hidden, _ = self._add_cross_attention(hidden, keys, values, memory_mask, training)
        return self.add_feed_forward(hidden, training)

    def step(self, inputs, cache, write, mask, memory, memory_mask):
        """K further positions that see what a cache holds.

        Args:
            inputs: float tensor (B, K, D).
            cache, write, mask: see `MultiHeadAttention.step`.
            memory: keys and values of the memory, from `cross_attention.keys_and_values`.
            memory_mask: bool tensor that broadcasts to (B, H, K, S).

        Returns:
            Outputs (B, K, D), the new cache, and the weights on the memory (B, H, K, S).
        """
        x = self.sublayer_input(inputs, self.attention_norm)
        outputs, cache = self.attention.step(x, cache, write, mask)
        hidden = self.add(inputs, outputs, self.attention_norm)
        hidden, weights = self._add_cross_attention(hidden, *memory, memory_mask)
        return self.add_feed_forward(hidden), cache, weights

    def _add_cross_attention(self, inputs, keys, values, memory_mask, training=None):
        x = self.sublayer_input(inputs, self.cross_norm)
        queries = self.cross_attention.queries(x)
        attention = self.cross_attention.attention(queries, keys, values, memory_mask, training)
        hidden = self.add(inputs, attention.outputs, self.cross_norm, training)
        return hidden, attention.weights

    def compute_output_shape(self, inputs_shape, memory_shape=None):
        return inputs_shape

"""A block of a Transformer that reads from left to right, without a memory."""

import keras
from keras import ops

from shared.layers.multi_head_attention import MultiHeadAttention, causal_attention_mask
from shared.layers.transformer_encoder_block import TransformerEncoderBlock


@keras.saving.register_keras_serializable(package="kerasuite")
class TransformerCausalBlock(TransformerEncoderBlock):
    """Causal self-attention, then a feed-forward network: a decoder's block of a language model.

    Trained on whole sequences (`call`), used position by position (`step`), with equal results.

    Args:
        rotary: bool. See `MultiHeadAttention`.
        *args, **kwargs: those of `TransformerEncoderBlock`.

    Call arguments:
        inputs: float tensor (B, T, D). Padding stands at the end, where nothing sees it.
        training: bool or None.

    Returns:
        Tensor (B, T, D).

    Reference: [Radford et al., 2018](https://cdn.openai.com/research-covers/language-unsupervised/language_understanding_paper.pdf),
    section 3.1
    """

    def __init__(self, *args, rotary: bool = False, **kwargs):
        super().__init__(*args, **kwargs)
        self.rotary = rotary

    def _attention(self, name: str, *shapes) -> MultiHeadAttention:
        return super()._attention(name, *shapes, rotary=self.rotary)

    def call(self, inputs, training=None):
        return self.read(inputs, training)[0]

    def read(self, inputs, training=None):
        """The output of the call, and the keys and values (B, H, T, d) that a cache begins with.

        Args:
            inputs, training: see the call.
        """
        x = self.sublayer_input(inputs, self.attention_norm)
        queries, keys, values = self.attention.self_projections(x)
        causal = causal_attention_mask(ops.shape(inputs)[1])
        outputs = self.attention.attention(queries, keys, values, causal, training).outputs
        hidden = self.add(inputs, outputs, self.attention_norm, training)
        return self.add_feed_forward(hidden, training), (keys, values)

    def step(self, inputs, cache, write, mask, positions=None):
        """K further positions that see what a cache holds.

        Args:
            inputs: float tensor (B, K, D).
            cache, write, mask, positions: see `MultiHeadAttention.step`.

        Returns:
            Outputs (B, K, D) and the new cache.
        """
        x = self.sublayer_input(inputs, self.attention_norm)
        outputs, cache = self.attention.step(x, cache, write, mask, positions)
        hidden = self.add(inputs, outputs, self.attention_norm)
        return self.add_feed_forward(hidden), cache

    def get_config(self):
        return {**super().get_config(), "rotary": self.rotary}

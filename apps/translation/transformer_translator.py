"""The Transformer as a translator.

Decoding keeps the keys and values of all tokens so far. They never move: every hypothesis
knows by a mask which of them are its own, so that following another parent costs a few bytes
and all shapes stay what they are.
"""

import math

import keras
import tensorflow as tf
from keras import ops

from apps.translation.translator import Translator
from shared.common.errors import KerasuiteError
from shared.decoding.beam_search import gather_hypotheses
from shared.layers import (
    Dropout,
    LayerNormalization,
    LearnedPositions,
    SinusoidalPositions,
    TransformerDecoderBlock,
    TransformerEncoderBlock,
)
from shared.layers.multi_head_attention import padding_attention_mask, slot_writer
from shared.layers.token_logits import next_logits, output_kernel
from shared.text.special_tokens import PAD


@keras.saving.register_keras_serializable(package="kerasuite")
class TransformerTranslator(Translator):
    """Encoder and decoder of Transformer blocks.

    Args: those of `Translator`.

    Raises:
        KerasuiteError: see `check`.

    Reference: [Vaswani et al., 2017](https://arxiv.org/abs/1706.03762)
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        config = self.config
        self.width = config.hidden_dim
        # Of unit variance once they are scaled by the root of the width.
        self.make_embeddings(keras.initializers.RandomNormal(stddev=self.width**-0.5))
        positions = SinusoidalPositions if config.positions == "sinusoidal" else LearnedPositions
        self.positions = positions(name="positions")
        self.embedding_dropout = Dropout(config.dropout)
        decoder_layers = config.decoder_layers or config.num_layers
        self.encoder_blocks = self._blocks(
            TransformerEncoderBlock, config.num_layers, "encoder_block"
        )
        self.decoder_blocks = self._blocks(TransformerDecoderBlock, decoder_layers, "decoder_block")
        self.encoder_norm = self._final_norm("encoder_norm")
        self.decoder_norm = self._final_norm("decoder_norm")

    @staticmethod
    def check(config):
        if config.hidden_dim % config.num_heads:
            raise KerasuiteError(
                f"--num-heads {config.num_heads}: does not divide --hidden-dim "
                f"{config.hidden_dim}; change one of them"
            )
        if config.positions == "sinusoidal" and config.hidden_dim % 2:
            raise KerasuiteError(
                f"--hidden-dim {config.hidden_dim}: give an even number, or --positions learned; a "
                f"sine and a cosine share a wavelength"
            )

    def _blocks(self, block_class, count: int, name: str) -> list:
        config = self.config
        return [
            block_class(
                config.num_heads,
                config.hidden_dim,
                config.intermediate_dim,
                norm=config.norm,
                dropout=config.dropout,
                attention_dropout=config.attention_dropout,
                activation=config.activation,
                epsilon=config.epsilon,
                name=f"{name}_{index}",
            )
            for index in range(count)
        ]

    def _final_norm(self, name: str):
        """Blocks that normalise their inputs leave their outputs as they are."""
        if self.config.norm == "pre":
            return LayerNormalization(epsilon=self.config.epsilon, name=name)
        return keras.layers.Identity()

    def build(self, input_shape=None):
        shape = (None, None, self.width)
        self.build_embeddings()
        self.positions.build(shape)
        for block in self.encoder_blocks:
            block.build(shape)
        for block in self.decoder_blocks:
            block.build(shape, shape)
        self.encoder_norm.build(shape)
        self.decoder_norm.build(shape)
        if self.config.output_bias:
            self.output_bias = self.add_weight(
                (self.target_vocabulary,), initializer="zeros", name="output_bias"
            )
        self.built = True

    # === Whole sentences ===

    def call(self, x, training=None):
        memory, memory_mask = self._encoded(x["source"], training)
        hidden = self._embed(self.target_embedding, x["target"], training=training)
        for block in self.decoder_blocks:
            hidden = block(hidden, memory, memory_mask, training=training)
        return self._logits(hidden)

    def _encoded(self, source, training=None):
        """Outputs (B, S, D) of the encoder, and which of them may be seen."""
        mask = padding_attention_mask(source != PAD)
        hidden = self._embed(self.source_embedding, source, training=training)
        for block in self.encoder_blocks:
            hidden = block(hidden, attention_mask=mask, training=training)
        return self.encoder_norm(hidden), mask

    def _embed(self, embedding, tokens, begin=0, training=None):
        embedded = embedding(tokens) * math.sqrt(self.width)
        return self.embedding_dropout(self.positions(embedded, begin=begin), training=training)

    def _logits(self, hidden):
        logits = self.target_embedding(self.decoder_norm(hidden), reverse=True)
        return self._biased(logits)

    def _biased(self, logits):
        if not self.config.output_bias:
            return logits
        return logits + ops.cast(self.output_bias, logits.dtype)

    # === One token at a time ===

    def encode(self, source, training=False):
        """Keys and values of the source for every decoder block: they are the same each step."""
        hidden, mask = self._encoded(source, training)
        pairs = [block.cross_attention.keys_and_values(hidden) for block in self.decoder_blocks]
        return {
            "pairs": pairs,
            "mask": mask,
            "kernel": output_kernel(self.target_embedding, self.compute_dtype),
        }

    def start(self, memory, beam_size, max_steps):
        """Empty caches with K slots for each step, none of which is anybody's yet."""
        batch_size, slots = tf.shape(memory["mask"])[0], max_steps * beam_size
        heads, size = self.config.num_heads, self.width // self.config.num_heads
        empty = tf.zeros([batch_size, heads, slots, size], self.compute_dtype)
        return {
            "caches": [(empty, empty) for _ in self.decoder_blocks],
            "own": tf.zeros([batch_size, beam_size, slots], tf.bool),
        }

    def step(self, tokens, index, state, memory):
        rows, beam_size = ops.shape(tokens)
        slots = index * beam_size + tf.range(beam_size)
        new = tf.range(tf.shape(state["own"])[2]) == slots[:, None]
        own = state["own"] | new
        write = slot_writer(rows, self.config.num_heads, slots)
        # All K tokens stand at the same position: as if they were sequences of their own.
        hidden = self._embed(self.target_embedding, tf.reshape(tokens, [-1, 1]), begin=index)
        hidden = tf.reshape(hidden, [-1, beam_size, self.width])
        caches = []
        for block, cache, pair in zip(
            self.decoder_blocks, state["caches"], memory["pairs"], strict=True
        ):
            hidden, cache, weights = block.step(
                hidden, cache, write, own[:, None], pair, memory["mask"]
            )
            caches.append(cache)
        logits = self._biased(next_logits(self.decoder_norm(hidden), memory["kernel"]))
        return logits, {"caches": caches, "own": own}, tf.reduce_mean(weights, axis=1)

    def reorder(self, state, parents):
        return {**state, "own": gather_hypotheses(state["own"], parents)}

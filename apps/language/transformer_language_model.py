"""A Transformer that reads one way as a language model.

Writing keeps the keys and values of the tokens so far. When they fill a window, its later half is
read again as the beginning of the next: every token is written with at least half a window before
it, as in the evaluation.
"""

import math

import keras
import tensorflow as tf

from apps.language.language_model import LanguageModel
from shared.decoding.key_value_cache import in_place_writer
from shared.layers import (
    Dropout,
    LayerNormalization,
    LearnedPositions,
    SinusoidalPositions,
    TransformerCausalBlock,
)


@keras.saving.register_keras_serializable(package="kerasuite")
class TransformerLanguageModel(LanguageModel):
    """Decoder blocks without a memory, normalised before each sublayer.

    Args: those of `LanguageModel`.

    Reference: [Radford et al., 2019](https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf)
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        config = self.config
        # The first steps of GPT-2: all matrices small.
        normal = keras.initializers.RandomNormal(stddev=0.02)
        self.embedding = self.make_embedding(normal)
        self.positions = self._positions(normal)
        self.embedding_dropout = Dropout(config.dropout)
        self.blocks = [
            TransformerCausalBlock(
                config.num_heads,
                config.hidden_dim,
                config.intermediate_dim or 4 * config.hidden_dim,
                dropout=config.dropout,
                attention_dropout=config.dropout,
                activation=config.activation,
                epsilon=config.epsilon,
                kernel_initializer=normal,
                rotary=config.positions == "rotary",
                name=f"block_{index}",
            )
            for index in range(config.num_layers)
        ]
        self.norm = LayerNormalization(epsilon=config.epsilon, name="norm")

    def _positions(self, initializer):
        """The layer that adds positions to embeddings; rotary ones are in the attention."""
        if self.config.positions == "learned":
            return LearnedPositions(self.sequence_length, initializer, name="positions")
        if self.config.positions == "sinusoidal":
            return SinusoidalPositions(name="positions")
        return None

    def build(self, input_shape=None):
        shape = (None, None, self.width)
        self.embedding.build()
        for layer in filter(None, (self.positions, *self.blocks, self.norm)):
            layer.build(shape)
        self.built = True

    # === Whole windows ===

    def hidden_states(self, tokens, training=None):
        return self._read(tokens, training)[0]

    def _read(self, tokens, training=None):
        """Hidden states (B, T, D) of tokens (B, T), and keys and values of every block."""
        hidden, pairs = self._embed(tokens, training=training), []
        for block in self.blocks:
            hidden, pair = block.read(hidden, training)
            pairs.append(pair)
        return self.norm(hidden), pairs

    def _embed(self, tokens, begin=0, training=None):
        embedded = self.embedding(tokens)
        if self.config.positions == "sinusoidal":
            embedded = embedded * math.sqrt(self.width)
        if self.positions is not None:
            embedded = self.positions(embedded, begin=begin)
        return self.embedding_dropout(embedded, training=training)

    @staticmethod
    def evaluation_window(sequence_length):
        return sequence_length, sequence_length // 2

    @property
    def _half(self) -> int:
        return self.sequence_length // 2

    # === One token at a time ===

    def max_prompt(self, max_tokens):
        """A window less the room for what is written in it; its last token is written, too."""
        return self.sequence_length - tf.minimum(max_tokens, self._half) + 1

    def start(self, prefix, lengths, beam_size, max_tokens):
        """Caches with slots for the prompt, and behind them for what is written in a window.

        All tensors have a row for each of the K hypotheses of a text, (B K, ...): a step, which
        takes no longer than its many small operations, reads them without a change of shape.
        """
        first = tf.maximum(tf.shape(prefix)[1], tf.where(max_tokens > self._half, self._half, 0))
        slots = first + tf.minimum(max_tokens, self._half)
        caches = self._caches(prefix, slots)
        return {
            "caches": tf.nest.map_structure(lambda cache: tf.repeat(cache, beam_size, 0), caches),
            "lengths": tf.repeat(lengths, beam_size),
            "written": tf.zeros([tf.size(lengths) * beam_size, self._half], tf.int32),
            "first": first,
        }

    def _caches(self, tokens, slots):
        """Keys and values (R, H, slots, d) of every block, with those of tokens (R, T) in front."""
        # Traced, but never reached, with fewer slots than half a window.
        rest = [[0, 0], [0, 0], [0, tf.maximum(slots - tf.shape(tokens)[1], 0)], [0, 0]]

        def longer(tensor):
            heads, size = tensor.shape[1], tensor.shape[3]
            padded = tf.pad(tensor, rest)[:, :, :slots]
            return tf.ensure_shape(padded, [None, heads, None, size])

        return tf.nest.map_structure(longer, self._read(tokens)[1])

    def step(self, tokens, index, state):
        column = index % self._half
        is_full = (index > 0) & (column == 0)
        state = tf.cond(is_full, lambda: self._read_again(state), lambda: dict(state))
        shape, rows = tf.shape(tokens), tf.reshape(tokens, [-1, 1])
        first, lengths = state["first"], state["lengths"][:, None]
        slots = tf.range(tf.shape(state["caches"][0][0])[2])
        is_written = (slots >= first) & (slots <= first + column)
        mask = ((slots < lengths) | is_written)[:, None, None]
        write = in_place_writer(state["caches"][0][0], first + column)
        positions = lengths + column
        hidden, caches = self._embed(rows, begin=positions[:, 0]), []
        for block, cache in zip(self.blocks, state["caches"], strict=True):
            hidden, cache = block.step(hidden, cache, write, mask, positions)
            caches.append(cache)
        written = tf.where(tf.range(self._half) == column, rows, state["written"])
        hidden = tf.reshape(self.norm(hidden), [shape[0], shape[1], self.width])
        return hidden, {**state, "caches": caches, "written": written}

    def _read_again(self, state):
        """The state in which the half window that was written last stands before the next."""
        tokens, slots = state["written"], tf.shape(state["caches"][0][0])[2]
        lengths = tf.fill(tf.shape(tokens)[:1], self._half)
        return {**state, "caches": self._caches(tokens, slots), "lengths": lengths}

    def reorder(self, state, parents):
        shape = tf.shape(parents)
        rows = tf.reshape(tf.range(shape[0])[:, None] * shape[1] + parents, [-1])
        own = {name: tensor for name, tensor in state.items() if name != "first"}
        chosen = tf.nest.map_structure(lambda tensor: tf.gather(tensor, rows), own)
        return {**chosen, "first": state["first"]}

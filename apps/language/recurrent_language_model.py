"""Recurrent networks as language models."""

import keras
import tensorflow as tf

from apps.language.language_model import LanguageModel
from shared.layers import Dropout, RecurrentStack

# Tokens of a text that are evaluated in a row, and before them those that only prepare the state.
STRETCH, WARM_UP = 4096, 512


@keras.saving.register_keras_serializable(package="kerasuite")
class RecurrentLanguageModel(LanguageModel):
    """A stack of Elman, LSTM or GRU layers; dropout on everything that goes up, nothing across.

    Args: those of `LanguageModel`.

    Reference: [Mikolov et al., 2010](https://doi.org/10.21437/Interspeech.2010-343);
    [Zaremba et al., 2014](https://arxiv.org/abs/1409.2329)
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        config = self.config
        self.embedding = self.make_embedding(keras.initializers.RandomUniform(-0.1, 0.1))
        self.embedding_dropout = Dropout(config.dropout)
        self.recurrent_layers = RecurrentStack(
            config.hidden_dim,
            config.num_layers,
            config.architecture,
            config.dropout,
            name="stack",
        )
        self.output_dropout = Dropout(config.dropout)

    def build(self, input_shape=None):
        self.embedding.build()
        self.recurrent_layers.build((None, None, self.width))
        self.built = True

    def hidden_states(self, tokens, training=None):
        embedded = self.embedding_dropout(self.embedding(tokens), training=training)
        outputs, _ = self.recurrent_layers(embedded, training=training)
        return self.output_dropout(outputs, training=training)

    @staticmethod
    def evaluation_window(sequence_length):
        """Long stretches, each read on with the state that the text before it has left."""
        return WARM_UP + STRETCH, WARM_UP

    # === One token at a time ===

    def max_prompt(self, max_tokens):
        return STRETCH

    def start(self, prefix, lengths, beam_size, max_tokens):
        mask = tf.range(tf.shape(prefix)[1]) < lengths[:, None]
        _, states = self.recurrent_layers(self.embedding(prefix), padding_mask=mask)
        return {"states": tf.repeat(states[:, None], beam_size, axis=1)}

    def step(self, tokens, index, state):
        shape, states = tf.shape(tokens), state["states"]
        inputs = tf.reshape(self.embedding(tokens), [-1, self.width])
        outputs, new = self.recurrent_layers.step(
            inputs, tf.reshape(states, [-1, *states.shape[2:]])
        )
        hidden = tf.reshape(outputs, [shape[0], shape[1], self.width])
        return hidden, {"states": tf.reshape(new, tf.shape(states))}

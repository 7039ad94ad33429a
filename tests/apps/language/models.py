"""Small language models with random weights, for tests."""

import functools

import keras
import numpy as np
import tensorflow as tf

from apps.language.config import ModelConfig
from apps.language.recurrent_language_model import RecurrentLanguageModel
from apps.language.transformer_language_model import TransformerLanguageModel
from shared.text.special_tokens import END

# Name to the network's options: what users can choose that changes how a step is computed.
NETWORKS = {
    "learned": {},
    "sinusoidal": {"positions": "sinusoidal"},
    "rotary": {"positions": "rotary", "tie_embeddings": False},
    "rnn": {"architecture": "rnn", "tie_embeddings": False},
    "lstm": {"architecture": "lstm"},
    "gru": {"architecture": "gru"},
}
TRANSFORMERS = ("learned", "sinusoidal", "rotary")


def small_model(network="learned", vocabulary=9, sequence_length=8, seed=1, **options):
    """A language model of random weights, larger than those at the start of a training."""
    keras.utils.set_random_seed(seed)
    sizes = {"num_layers": 2, "hidden_dim": 8, "num_heads": 2, "intermediate_dim": 12}
    config = ModelConfig(**sizes | NETWORKS[network] | options)
    is_transformer = config.architecture == "transformer"
    build = TransformerLanguageModel if is_transformer else RecurrentLanguageModel
    model = build(config, vocabulary, sequence_length)
    model.build()
    for weight in model.trainable_variables:
        weight.assign(weight + 0.4 * keras.random.normal(weight.shape))
    return model


def random_tokens(*shape, vocabulary=9, seed=0):
    """Tokens that are text."""
    return np.random.default_rng(seed).integers(END + 1, vocabulary, shape, dtype=np.int32)


def log_softmax(row):
    row = np.asarray(row, np.float64)
    return row - np.log(np.exp(row).sum())


def next_log_probabilities(model, tokens):
    """Log-probabilities (V,) of the token behind tokens (T,), computed from all of them."""
    return log_softmax(_last_logits(model)(np.array([tokens], np.int32)))


@functools.cache
def _last_logits(model):
    """Tokens (1, T) of any length to the logits (V,) behind the last."""

    @tf.function(input_signature=[tf.TensorSpec([1, None], tf.int32)])
    def logits(tokens):
        return model.logits(model.hidden_states(tokens))[0, -1]

    return logits

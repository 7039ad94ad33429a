"""Small translators with random weights, for tests."""

import keras
import numpy as np

from apps.translation.config import DecodingConfig, LossConfig, ModelConfig
from apps.translation.recurrent_translator import RecurrentTranslator
from apps.translation.transformer_translator import TransformerTranslator
from shared.text.special_tokens import END, PAD, START

SMALL = {
    "num_layers": 2,
    "hidden_dim": 16,
    "num_heads": 2,
    "intermediate_dim": 32,
    "dropout": 0.0,
}
# Name to the network's options: what users can choose that changes how a step is computed.
NETWORKS = {
    "pre": {},
    "post": {"norm": "post", "positions": "learned"},
    "untied": {"tie_embeddings": False},
    "lstm": {"architecture": "recurrent"},
    "gru": {"architecture": "recurrent", "cell": "gru", "attention": "additive", "residual": False},
    "concat": {"architecture": "recurrent", "attention": "concat", "input_feeding": False},
}


def small_translator(network="pre", vocabulary=11, seed=1, label_smoothing=0.0):
    """A translator of random weights, larger than those at the start of a training."""
    keras.utils.set_random_seed(seed)
    config = ModelConfig(**SMALL | NETWORKS[network])
    build = RecurrentTranslator if config.architecture == "recurrent" else TransformerTranslator
    loss = LossConfig(label_smoothing=label_smoothing)
    model = build(config, loss, DecodingConfig(), vocabulary, vocabulary)
    model.build()
    for weight in model.trainable_variables:
        weight.assign(weight + 0.3 * keras.random.normal(weight.shape))
    return model


def random_batch(rows=4, source_length=6, target_length=5, vocabulary=11, seed=0):
    """(x, y) with rows of all lengths."""
    generator = np.random.default_rng(seed)
    source = np.full((rows, source_length), PAD, np.int32)
    target = np.full((rows, target_length), PAD, np.int32)
    labels = target.copy()
    for row in range(rows):
        length = generator.integers(0, source_length)
        source[row, :length] = generator.integers(END + 1, vocabulary, length)
        source[row, length] = END
        length = generator.integers(0, target_length)
        tokens = generator.integers(END + 1, vocabulary, length)
        target[row, : length + 1] = [START, *tokens]
        labels[row, : length + 1] = [*tokens, END]
    return {"source": source, "target": target}, {"labels": labels, "index": np.arange(rows)}

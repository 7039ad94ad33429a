"""What several tests of checkpoints need of the encoder."""

from types import SimpleNamespace

import keras
import numpy as np

from apps.bert.encoder import BertEncoder
from apps.bert.encoder_config import encoder_arguments


def encoder_of(checkpoint, **more):
    """A fresh encoder of a checkpoint's shape."""
    encoder = BertEncoder(
        len(checkpoint.vocabulary), **{**encoder_arguments(checkpoint.config), **more}
    )
    encoder.build()
    return encoder


def heads_of(checkpoint, next_sentence=True):
    """Pretraining heads as the loader wants them."""
    width, words = checkpoint.config.hidden_dim, len(checkpoint.vocabulary)
    heads = SimpleNamespace(
        transform=keras.layers.Dense(width, "gelu"),
        norm=keras.layers.LayerNormalization(epsilon=1e-12),
        bias=keras.Variable(np.zeros(words)),
        next_sentence=keras.layers.Dense(2) if next_sentence else None,
    )
    for layer in (heads.transform, heads.norm, heads.next_sentence):
        if layer is not None:
            layer.build((None, width))
    return heads


def assert_hidden_states(outputs, truth, batch, tolerance=1e-4):
    """Compares all hidden states at real positions, and the attentions, with `NumpyBert`."""
    hidden, scores, _ = truth.hidden_states(batch["tokens"], batch["segments"])
    real = batch["tokens"] != 0
    assert len(outputs["hidden_states"]) == len(hidden)
    for ours, theirs in zip(outputs["hidden_states"], hidden, strict=True):
        np.testing.assert_allclose(np.asarray(ours)[real], theirs[real], atol=tolerance, rtol=0)
    pairs = np.broadcast_to((real[:, :, None] & real[:, None, :])[:, None], scores[0].shape)
    for ours, theirs in zip(outputs["attentions"], scores, strict=True):
        np.testing.assert_allclose(np.asarray(ours)[pairs], theirs[pairs], atol=1e-3, rtol=1e-4)
    return hidden

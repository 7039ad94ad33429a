"""Encoders and heads for the tests of checkpoints."""

import dataclasses
from types import SimpleNamespace

import keras
import numpy as np

from apps.bert.encoder import BertEncoder


def encoder_of(checkpoint, **more):
    """A fresh encoder of a checkpoint's shape."""
    config = dataclasses.replace(checkpoint.config, **more)
    encoder = BertEncoder(config, len(checkpoint.vocabulary))
    encoder.build()
    return encoder


def heads_of(checkpoint, next_sentence=True):
    """Pretraining heads with the attributes that the loader needs."""
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
    hidden, scores, _ = truth.hidden_states(batch["token_ids"], batch["segment_ids"])
    real = batch["token_ids"] != 0
    assert len(outputs["hidden_states"]) == len(hidden)
    for ours, theirs in zip(outputs["hidden_states"], hidden, strict=True):
        np.testing.assert_allclose(np.asarray(ours)[real], theirs[real], atol=tolerance, rtol=0)
    pairs = np.broadcast_to((real[:, :, None] & real[:, None, :])[:, None], scores[0].shape)
    for ours, theirs in zip(outputs["attentions"], scores, strict=True):
        np.testing.assert_allclose(np.asarray(ours)[pairs], theirs[pairs], atol=1e-3, rtol=1e-4)
    return hidden

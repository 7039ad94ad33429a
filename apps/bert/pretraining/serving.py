"""The SavedModel of an encoder: raw text in, vectors of sentences and word pieces out."""

import dataclasses
import json
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from apps.bert.checkpoint.sentence_transformers import SentenceVectors
from apps.bert.checkpoint.tokenizer_files import Tokenizer, tokenizer_assets
from apps.bert.encoder import mean_of_tokens
from apps.bert.token_network import TokenNetwork
from shared.engine.app import ServingModule
from shared.engine.saved_model.empty_batches import with_empty_batches

# A file beside the SavedModel's configuration: how a vector of a text is made by default.
VECTORS = "sentence_vectors.json"
EXAMPLES = ("A sentence.", "Another one, somewhat longer than the first.", "中文 ☃", "")


class EncoderServing(TokenNetwork, ServingModule):
    """Vectors of texts and of their word pieces.

    Signatures:
        serving_default: `text` string [N] to three vectors f32 [N, D] of each text: `embedding`,
            the mean of the last layer over the word pieces; `cls`, the last layer at the first
            position; `last_four`, the mean of the last four layers over the word pieces. They
            have length 1 if `vectors` says so.
        tokens: `text` to `pieces` string [N, T] and `vectors` f32 [N, T, D], the last layer;
            shorter rows are padded with "" and 0.

    Args:
        model: a model with `encode`, see `BertEncoder`.
        tokenizer: its tokenizer.
        max_length: int. Longest sequence in word pieces; longer texts are cut.
        vectors: how the model makes a vector of a text.
    """

    def __init__(
        self,
        model: keras.Model,
        tokenizer: Tokenizer,
        max_length: int,
        vectors: SentenceVectors = SentenceVectors(),
    ):
        self.model, self.tokenizer, self.max_length = model, tokenizer, max_length
        self.sentence_vectors = vectors
        self.names = tf.constant(tokenizer.vocabulary)

    def network_of(self, model):
        return lambda x: model.encoder(x, training=False)

    def facts(self) -> dict[str, Any]:
        return {"sentence_vectors": dataclasses.asdict(self.sentence_vectors)}

    def _packed(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.tokenizer.pack(self.tokenizer(text), None, self.max_length)

    def vectors(self, text) -> dict[str, tf.Tensor]:
        x = self._packed(text)
        layers = self.model.encode(x, output_hidden_states=True)["hidden_states"]
        real = x["token_ids"] != self.tokenizer.pad
        last_four = tf.add_n(list(layers[-4:])) / len(layers[-4:])
        found = {
            "embedding": mean_of_tokens(layers[-1], real),
            "cls": layers[-1][:, 0],
            "last_four": mean_of_tokens(last_four, real),
        }
        found = {name: tf.cast(vectors, tf.float32) for name, vectors in found.items()}
        if not self.sentence_vectors.normalize:
            return found
        return {name: tf.math.l2_normalize(vectors, axis=-1) for name, vectors in found.items()}

    def tokens(self, text) -> dict[str, tf.Tensor]:
        x = self._packed(text)
        real = x["token_ids"] != self.tokenizer.pad
        vectors = tf.cast(self.model.encode(x)["sequence"], tf.float32)
        return {
            "pieces": tf.where(real, tf.gather(self.names, x["token_ids"]), ""),
            "vectors": tf.where(real[..., None], vectors, 0.0),
        }

    def signatures(self):
        text = {"text": tf.TensorSpec([None], tf.string, name="text")}
        return with_empty_batches(
            {"serving_default": (text, self.vectors), "tokens": (text, self.tokens)}
        )

    def trackables(self):
        return [self.model, self.tokenizer]

    def examples(self):
        text = {"text": np.array(EXAMPLES, dtype=object)}
        return {"serving_default": text, "tokens": text}

    def extra_assets(self):
        vectors = json.dumps(dataclasses.asdict(self.sentence_vectors))
        return tokenizer_assets(self.tokenizer) | {VECTORS: vectors}

    def usage(self):
        return 'A request is `{"inputs": {"text": ["A sentence.", "Another."]}}`, a text an entry.'

"""The network of BERT's SavedModels alone: from token ids to logits or vectors."""

import abc
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from shared.common.errors import KerasuiteError
from shared.engine.saved_model.exportable_network import ExportableNetwork
from shared.text.wordpiece_tokenizer import WordPieceTokenizer

INPUTS = ("token_ids", "segment_ids")
# Sequences of the comparison, (number, length): unequal ones.
TRIED = ((2, 12), (1, 7))


class TokenNetwork(ExportableNetwork):
    """`token_ids` and `segment_ids`, int32 (N, T) each, to named outputs.

    A serving module that has it has `model`, `tokenizer` and `max_length`, and names its function
    of the two in `network_of`.
    """

    input_words = "`token_ids` and `segment_ids`, int32 (N, T) each"

    @abc.abstractmethod
    def network_of(self, model: keras.Model) -> Callable[[dict], dict]:
        """The function of the inputs that a model computes, to outputs by name."""

    def specs(self):
        return {name: tf.TensorSpec((None, None), tf.int32, name=name) for name in INPUTS}

    def for_export(self) -> keras.Model:
        if not isinstance(self.tokenizer, WordPieceTokenizer):
            raise KerasuiteError(
                "--format: is for networks with WordPiece tokens; export this one as a SavedModel, "
                "without --format"
            )
        policy = keras.config.dtype_policy()
        keras.config.set_dtype_policy("float32")
        try:
            model = type(self.model).from_config(self.model.get_config())
            model.build()
        finally:
            keras.config.set_dtype_policy(policy)
        model.set_weights(self.model.get_weights())
        inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in INPUTS}
        return keras.Model(inputs, self.network_of(model)(inputs))

    def live_outputs(self, inputs):
        return self.network_of(self.model)(inputs)

    def trials(self) -> list[dict[str, np.ndarray]]:
        generator, count = np.random.default_rng(0), len(self.tokenizer.vocabulary)
        trials = []
        for rows, length in TRIED:
            tokens = generator.integers(1, count, (rows, length)).astype(np.int32)
            tokens[0, length - 2 :] = self.tokenizer.pad
            segments = (np.arange(length) >= length // 2) & (tokens != self.tokenizer.pad)
            trials.append({"token_ids": tokens, "segment_ids": segments.astype(np.int32)})
        return trials

    def input_facts(self) -> dict[str, Any]:
        return {
            "token_ids": {"shape": [None, None], "type": "int32", "padding": self.tokenizer.pad},
            "segment_ids": {"shape": [None, None], "type": "int32", "of_second_text": 1},
            "max_length": self.max_length,
            "tokenizer": "WordPiece: the vocabulary and its settings lie beside this file",
            "special_tokens": {"first": "[CLS]", "after_each_text": "[SEP]"},
        }

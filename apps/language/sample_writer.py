"""Texts that a model writes without a prompt, in the course of its training."""

import tensorflow as tf

from apps.language.config import WritingConfig
from apps.language.language_model import LanguageModel
from apps.language.tokenizers.tokenizer import Tokenizer

SAMPLES = 3


class SampleWriter:
    """Writes the same three draws at any time, so that epochs can be compared.

    Args:
        model: the model.
        tokenizer: of its tokens.
        config: how it writes.
    """

    def __init__(self, model: LanguageModel, tokenizer: Tokenizer, config: WritingConfig):
        self.model, self.tokenizer = model, tokenizer
        nothing = tf.RaggedTensor.from_row_splits(
            tf.zeros([0], tf.int32), tf.zeros([SAMPLES + 1], tf.int64)
        )
        seeds = tf.stack([tf.range(1, SAMPLES + 1, dtype=tf.int64)] * 2, axis=1)

        @tf.function(autograph=False)
        def write():
            found = model.write(
                nothing,
                seeds,
                config.max_tokens,
                temperature=config.temperature,
                top_k=config.top_k,
                top_p=config.top_p,
            )
            return found.tokens[:, 0]

        self._write = write

    def __call__(self) -> list[str]:
        texts = self.tokenizer.detokenize(self._write()).numpy()
        return [text.decode("utf-8", "replace") for text in texts]

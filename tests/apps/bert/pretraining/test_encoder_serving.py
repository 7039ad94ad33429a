"""Vectors of texts from an encoder's SavedModel."""

import numpy as np
import tensorflow as tf

from apps.bert.encoder_config import TEST_ENCODER, EncoderConfig
from apps.bert.pretraining.pretrainer import Pretrainer
from apps.bert.pretraining.serving import EncoderServing
from shared.text.wordpiece_tokenizer import SPECIAL_TOKENS, WordPieceTokenizer

TEXTS = ["a b c a", "", "c"]


def serving():
    tokenizer = WordPieceTokenizer([*SPECIAL_TOKENS, "a", "b", "c"], lowercase=True)
    model = Pretrainer(EncoderConfig(**TEST_ENCODER), tokenizer.vocabulary_size, paired=False)
    model.build()
    return EncoderServing(model, tokenizer, 12)


def test_a_text_has_the_same_vectors_alone():
    module = serving()
    for name, (_, function) in module.signatures().items():
        together = function(text=tf.constant(TEXTS))
        for row, text in enumerate(TEXTS):
            for output, value in function(text=tf.constant([text])).items():
                ours, alone = together[output][row].numpy(), value[0].numpy()
                if name == "tokens":
                    ours = ours[: len(alone)]
                if output == "pieces":
                    assert ours.tolist() == alone.tolist()
                else:
                    np.testing.assert_allclose(ours, alone, atol=1e-5)


def test_no_texts_have_no_vectors():
    for _, function in serving().signatures().values():
        some = function(text=tf.constant(TEXTS))
        none = tf.function(function)(text=tf.zeros([0], tf.string))
        for output, value in none.items():
            assert value.shape[0] == 0 and value.dtype == some[output].dtype

"""The signatures of a translator against its model and tokenizers, sentence by sentence."""

import numpy as np
import pytest
import tensorflow as tf

from apps.translation.config import TranslateConfig
from apps.translation.data import Tokenizers
from apps.translation.serving import MAX_TOKENS, TranslatorServing
from shared.text.subword_tokenizer import END, START, SubwordTokenizer, train_tokenizer
from tests.apps.translation.translators import small_translator

TEXTS = ["two small cats", "a dog", "", "  cats\tand ☃ 猫 ", "the small dog and two cats"]


@pytest.fixture(scope="module", params=["pre", "lstm"])
def serving(request):
    model = train_tokenizer(TEXTS * 4, "unigram", 285)
    network = small_translator(request.param, SubwordTokenizer(model).vocabulary_size)
    # After the network: setting a seed clears TensorFlow's kernels, and a tokenizer with them.
    tokenizer = SubwordTokenizer(model)
    config = TranslateConfig()
    tokenizers = Tokenizers(tokenizer, tokenizer)
    return TranslatorServing(network, tokenizers, config, ("en", "de"), TEXTS[:2])


def tokens(serving, text):
    return serving.tokenizers.source([text]).to_list()[0]


def test_a_batch_gives_what_each_sentence_gives(serving):
    together = serving.translate(tf.constant(TEXTS))
    for index, text in enumerate(TEXTS):
        alone = serving.translate(tf.constant([text]))
        assert together["translation"][index] == alone["translation"][0]
        assert float(together["score"][index]) == pytest.approx(float(alone["score"][0]), abs=1e-4)


def test_an_empty_text_gives_an_empty_one(serving):
    found = serving.translate(tf.constant(["", " \t "]))
    assert found["translation"].numpy().tolist() == [b"", b""]
    assert found["score"].numpy().tolist() == [0.0, 0.0]


def test_options_are_used(serving):
    text = tf.constant(TEXTS)
    one = serving.with_options(text, tf.constant(4), tf.constant(0.6))
    np.testing.assert_array_equal(one["translation"], serving.translate(text)["translation"])
    # Without a penalty a score is a log-probability: `score` must find the same.
    plain = serving.with_options(text, tf.constant(3), tf.constant(0.0))
    again = serving.model.translate(serving._source(text), 3, 0.0)
    np.testing.assert_allclose(plain["score"][:2], again.scores[:2, 0], atol=1e-4)


def test_n_best_begins_with_the_best(serving):
    text = tf.constant(TEXTS[:2])
    found = serving.n_best(text, tf.constant(4))
    assert found["translations"].shape == (2, 4)
    np.testing.assert_array_equal(
        found["translations"][:, 0], serving.translate(text)["translation"]
    )
    scores = found["scores"].numpy()
    assert (np.diff(scores, axis=1) <= 1e-6).all()


def test_score_is_the_sum_of_log_probabilities(serving):
    target = "two dogs"
    found = serving.score(tf.constant([TEXTS[0], TEXTS[1]]), tf.constant([target, ""]))
    for index, text in enumerate((target, "")):
        ids = [*tokens(serving, text), END]
        source = np.array([[*tokens(serving, TEXTS[index]), END]], np.int32)
        read = np.array([[START, *ids[:-1]]], np.int32)
        logits = serving.model({"source": source, "target": read}, training=False)
        logs = tf.nn.log_softmax(logits)[0].numpy()
        expected = sum(logs[place, token] for place, token in enumerate(ids))
        assert float(found["score"][index]) == pytest.approx(expected, abs=1e-3)
        assert int(found["tokens"][index]) == len(ids)


def test_alignments_belong_to_their_pieces(serving):
    found = serving.align(tf.constant(TEXTS[:2]), tf.constant(["a cat", "two small dogs"]))
    for index, target in enumerate(["a cat", "two small dogs"]):
        pieces = [piece.decode() for piece in found["target_pieces"][index].numpy() if piece]
        ids = serving.tokenizers.target([target]).to_list()[0]
        assert pieces == serving.tokenizers.target.pieces(np.array([*ids, END]))
        sources = int((found["source_pieces"][index].numpy() != b"").sum())
        weights = found["attention"][index].numpy()
        np.testing.assert_allclose(weights[: len(pieces), :sources].sum(1), 1.0, atol=1e-5)
        assert not weights[len(pieces) :].any() and not weights[:, sources:].any()


def test_very_long_texts_are_cut(serving):
    source = serving._source(tf.constant(["cats " * 5000]))
    assert source.shape[1] == MAX_TOKENS
    assert int(source[0, -1]) == END

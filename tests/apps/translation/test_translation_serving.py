"""The signatures of a translator against its model and tokenizers, sentence by sentence."""

import numpy as np
import pytest
import tensorflow as tf

from apps.translation.config import TranslateConfig
from apps.translation.data import Tokenizers
from apps.translation.languages import Languages
from apps.translation.serving import MAX_TOKENS, TranslatorServing
from shared.text.special_tokens import END, PAD, START, UNK
from shared.text.subword_tokenizer import SubwordTokenizer, train_tokenizer
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
    return TranslatorServing(network, tokenizers, config, Languages("en", "de"), TEXTS[:2])


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
    found = serving.n_best(text, tf.constant(4), tf.constant(4), tf.constant(0.6))
    assert found["translations"].shape == (2, 4)
    np.testing.assert_array_equal(
        found["translations"][:, 0], serving.translate(text)["translation"]
    )
    scores = found["scores"].numpy()
    assert (np.diff(scores, axis=1) <= 1e-6).all()
    # Searched with another beam and penalty, they are what the model finds with these.
    found = serving.n_best(text, tf.constant(2), tf.constant(5), tf.constant(0.0))
    again = serving.model.translate(serving._source(text), 5, 0.0, num_best=2)
    np.testing.assert_allclose(found["scores"], again.scores, atol=1e-5)


def test_score_is_the_sum_of_log_probabilities(serving):
    target = "two dogs"
    found = serving.score(tf.constant([TEXTS[0], TEXTS[1]]), tf.constant([target, ""]))
    for index, text in enumerate((target, "")):
        ids = [*tokens(serving, text), END]
        source = np.array([[*tokens(serving, TEXTS[index]), END]], np.int32)
        read = np.array([[START, *ids[:-1]]], np.int32)
        logits = serving.model({"source": source, "target": read}, training=False)
        logs = tf.nn.log_softmax(logits)[0].numpy()
        expected = sum(logs[index, token] for index, token in enumerate(ids))
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


def test_tokens_are_counted_before_the_cut(serving):
    long = "cats " * 600
    found = serving.count_tokens(tf.constant(["a dog", "", long]), tf.constant(["", long, "🎉"]))
    expected = [[len(tokens(serving, text)) + 1 for text in ("a dog", "", long)]]
    expected += [[1, expected[0][2], len(tokens(serving, "🎉")) + 1]]
    np.testing.assert_array_equal(found["source_tokens"], expected[0])
    np.testing.assert_array_equal(found["target_tokens"], expected[1])
    assert expected[0][2] > MAX_TOKENS and expected[1][2] >= 5


# Any number of texts


def call(serving, name, count, **scalars):
    """Calls a signature as it is exported, with the first texts."""
    specs, function = serving.signatures()[name]
    concrete = tf.function(lambda **inputs: function(**inputs)).get_concrete_function(**specs)
    texts = tf.constant(TEXTS[:count], tf.string, [count])
    inputs = {key: texts if spec.shape.rank else scalars[key] for key, spec in specs.items()}
    return concrete(**inputs)


def test_no_texts_give_no_rows(serving):
    found = call(serving, "serving_default", 0)
    assert {key: value.shape for key, value in found.items()} == {"translation": 0, "score": 0}
    found = call(serving, "align", 0)
    assert found["source_pieces"].shape[0] == found["target_pieces"].shape[0] == 0
    assert found["attention"].shape[0] == 0 and found["attention"].shape.rank == 3
    assert call(serving, "count_tokens", 0)["source_tokens"].shape == [0]
    assert call(serving, "count_tokens", 2)["source_tokens"].shape == [2]


@pytest.mark.parametrize("size", [-5, 0, 100_000])
def test_absurd_beams_are_taken_as_the_nearest_possible(serving, size, monkeypatch):
    monkeypatch.setattr("apps.translation.serving.MAX_BEAM", 5)
    text = tf.constant(["a dog"])
    nearest = min(max(size, 1), 5)
    found = serving.with_options(text, tf.constant(size), tf.constant(0.6))
    expected = serving.with_options(text, tf.constant(nearest), tf.constant(0.6))
    np.testing.assert_array_equal(found["translation"], expected["translation"])
    options = tf.constant(size), tf.constant(0.6)
    assert serving.n_best(text, tf.constant(size), *options)["scores"].shape == (1, nearest)


# Random draws


@pytest.fixture(scope="module")
def drawn(serving):
    """The signature `sample`, compiled once."""
    specs, function = serving.signatures()["sample"]
    signature = tf.function(lambda **inputs: function(**inputs)).get_concrete_function(**specs)

    def draws(texts, **options):
        scalars = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "seed": 1} | options
        inputs = {key: tf.constant(value, specs[key].dtype) for key, value in scalars.items()}
        found = signature(text=tf.constant(texts, tf.string, [len(texts)]), **inputs)
        return found["translation"].numpy().tolist(), found["score"].numpy()

    return draws


def greedy(serving, text):
    """(text, log-probability) of the likeliest token again and again, each of a whole sentence."""
    source, total = np.array([[*tokens(serving, text), END]], np.int32), 0.0
    model = tf.function(serving.model, reduce_retracing=True)
    found = [START]
    while len(found) <= 2 * source.shape[1] + 10 and found[-1] != END:
        read = np.array([found], np.int32)
        inputs = {"source": tf.constant(source), "target": tf.constant(read)}
        logits = model(inputs, training=False)[0, -1]
        logs = tf.nn.log_softmax(logits).numpy()
        possible = np.where(np.isin(range(len(logs)), (PAD, UNK, START)), -np.inf, logs)
        found.append(int(possible.argmax()))
        total += logs[found[-1]]
    return serving.tokenizers.target.detokenize(tf.constant([found[1:]]))[0].numpy(), total


def test_cold_draws_are_greedy(serving, drawn):
    texts = TEXTS[:2]
    expected, totals = zip(*(greedy(serving, text) for text in texts), strict=True)
    for options in ({"temperature": 1e-6}, {"top_k": 1}, {"top_p": 1e-6}):
        found, scores = drawn(texts, **options)
        assert found == list(expected)
        np.testing.assert_allclose(scores, totals, atol=2e-3)


def test_seed_and_text_decide_what_is_drawn(drawn):
    first, scores = drawn(TEXTS, temperature=2.0, seed=5)
    again, _ = drawn([TEXTS[3], TEXTS[0], TEXTS[3]], temperature=2.0, seed=5)
    assert again == [first[3], first[0], first[3]]
    assert first[2] == b"" and str(scores[2]) == "0.0"
    other, _ = drawn(TEXTS, temperature=2.0, seed=6)
    assert all(one != two for one, two in zip(first, other, strict=True) if one)
    assert drawn([], seed=5)[0] == []

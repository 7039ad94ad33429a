"""`answer_empty_batches` beside the model itself, and for no images."""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

from shared.engine.saved_model.empty_batches import answer_empty_batches, with_empty_batches


@pytest.fixture(scope="module")
def model():
    images = keras.Input((None, None, 3))
    features = keras.layers.Conv2D(5, 3, 2, padding="same")(images)
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.BatchNormalization()(features))
    return keras.Model(images, {"features": features, "mean": mean})


def test_images_are_answered_as_by_the_model(model):
    inference = partial(model, training=False)
    images = np.random.default_rng(0).random((2, 8, 6, 3), "float32")
    answer = tf.function(lambda batch: answer_empty_batches(inference, batch))(tf.constant(images))
    for name, expected in model(images, training=False).items():
        np.testing.assert_allclose(answer[name], expected, rtol=1e-5, atol=1e-6)


def test_no_images_give_no_rows(model):
    inference = partial(model, training=False)
    signature = [tf.TensorSpec([None, 8, 6, 3])]
    function = tf.function(lambda batch: answer_empty_batches(inference, batch), signature)
    answer = function(tf.zeros([0, 8, 6, 3]))
    assert answer["features"].shape == (0, 4, 3, 5) and answer["mean"].shape == (0, 5)


def test_texts_and_other_rows_are_asked_together():
    """An empty text stands in for none; several inputs keep the same number of rows."""

    def longest(inputs):
        # Without any row there is no longest one.
        length = tf.reduce_max(tf.strings.length(inputs["text"]))
        tf.debugging.assert_non_negative(length)
        return {"share": tf.strings.length(inputs["other"]) / length, "text": inputs["text"]}

    for rows in ([], ["ab", "abcd"]):
        texts = tf.constant(rows, tf.string, [len(rows)])
        answer = answer_empty_batches(longest, {"text": texts, "other": texts})
        assert answer["text"].numpy().tolist() == [row.encode() for row in rows]
        np.testing.assert_array_equal(answer["share"], [len(row) / 4 for row in rows])


def test_options_of_a_signature_have_no_rows():
    def cut(text, length):
        longest = tf.reduce_max(tf.strings.length(text))
        tf.debugging.assert_non_negative(longest)
        return {"text": tf.strings.substr(text, 0, tf.minimum(longest, length))}

    specs = {"text": tf.TensorSpec([None], tf.string), "length": tf.TensorSpec([], tf.int32)}
    found_specs, answer = with_empty_batches({"serving_default": (specs, cut)})["serving_default"]
    assert found_specs == specs
    found = answer(text=tf.constant(["abc", "d"]), length=tf.constant(2))["text"]
    assert found.numpy().tolist() == [b"ab", b"d"]
    assert answer(text=tf.zeros([0], tf.string), length=tf.constant(2))["text"].shape == (0,)

"""`answer_any_number` beside the model itself, and for no images."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from shared.image.any_number import answer_any_number


@pytest.fixture(scope="module")
def model():
    images = keras.Input((None, None, 3))
    features = keras.layers.Conv2D(5, 3, 2, padding="same")(images)
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.BatchNormalization()(features))
    return keras.Model(images, {"features": features, "mean": mean})


def test_images_are_answered_as_by_the_model(model):
    images = np.random.default_rng(0).random((2, 8, 6, 3), "float32")
    answer = tf.function(lambda batch: answer_any_number(model, batch))(tf.constant(images))
    for name, expected in model(images, training=False).items():
        np.testing.assert_allclose(answer[name], expected, rtol=1e-5, atol=1e-6)


def test_no_images_give_no_rows(model):
    signature = [tf.TensorSpec([None, 8, 6, 3])]
    function = tf.function(lambda batch: answer_any_number(model, batch), signature)
    answer = function(tf.zeros([0, 8, 6, 3]))
    assert answer["features"].shape == (0, 4, 3, 5) and answer["mean"].shape == (0, 5)

"""Adam against Keras's own, on one device and on two."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from shared.engine.training.adam import Adam
from shared.engine.training.keras_patches import expect_reduced_gradients

ROWS, STEPS = 5, 4


def gradients():
    """Of two rows of an embedding and of a kernel; another pair for each step."""
    generator = np.random.default_rng(0)
    for _ in range(STEPS):
        yield tuple(tf.constant(generator.normal(size=(n, 3)), tf.float32) for n in (2, 4))


def weights_after(optimizer_class, strategy=None, **options):
    """The weights and all that the optimiser remembers, after some steps."""
    with (strategy or tf.distribute.get_strategy()).scope():
        variables = [
            keras.Variable(np.ones((ROWS, 3)), name="table"),
            keras.Variable(np.full((4, 3), -2.0), name="kernel"),
        ]
        rate = keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
        optimizer = optimizer_class(rate, epsilon=1e-3, **options)
        optimizer.build(variables)
        expect_reduced_gradients(optimizer)

    @tf.function
    def step(values, kernel):
        table = tf.IndexedSlices(values, tf.constant([1, 3]), dense_shape=tf.constant([ROWS, 3]))
        apply = lambda: optimizer.apply([table, kernel], variables)  # noqa: E731
        strategy.run(apply) if strategy else apply()

    for values, kernel in gradients():
        step(values, kernel)
    return [np.asarray(variable) for variable in [*variables, *optimizer.variables]]


@pytest.mark.parametrize("more", [{}, {"weight_decay": 0.1}, {"amsgrad": True}])
def test_it_is_keras_adam(more):
    """TensorFlow's operation takes 1 - beta_2 in float32, which is off by 1.3e-5 of it."""
    options = {"beta_1": 0.8, **more}
    expected = weights_after(keras.optimizers.Adam, **options)
    for ours, theirs in zip(weights_after(Adam, **options), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=1e-7)


def test_two_devices_are_one(two_devices):
    expected = weights_after(Adam, weight_decay=0.1)
    found = weights_after(Adam, two_devices, weight_decay=0.1)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_it_survives_saving():
    optimizer = Adam(0.01, beta_1=0.5, weight_decay=0.2)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert isinstance(again, Adam)
    assert (again.beta_1, again.weight_decay) == (0.5, 0.2)

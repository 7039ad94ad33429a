"""Each patch, and that Keras still needs it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from shared.engine.training.keras_patches import expect_reduced_gradients


def weight_after_a_step(strategy, patched):
    """The weight after SGD with a rate of 1 on gradients already summed to 1."""
    with strategy.scope():
        variable = keras.Variable([0.0])
        optimizer = keras.optimizers.SGD(1.0)
        optimizer.build([variable])
        if patched:
            expect_reduced_gradients(optimizer)

    @tf.function
    def step():
        strategy.run(lambda: optimizer.apply([tf.ones([1])], [variable]))

    step()
    return float(np.asarray(variable)[0])


def test_reduced_gradients_are_applied_once(two_devices):
    assert weight_after_a_step(two_devices, patched=True) == pytest.approx(-1.0)


def test_keras_still_reduces_inside_apply(two_devices):
    """When this fails, Keras applies reduced gradients itself: remove the patch."""
    assert weight_after_a_step(two_devices, patched=False) == pytest.approx(-2.0)

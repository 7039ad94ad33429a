"""The LSTM whose gradient is written out, against Keras's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from shared.layers import lstm
from shared.layers.lstm import LSTM

RANDOM = np.random.default_rng(0)
WRITTEN_OUT = lstm.lstm
MASK = np.array([[True] * 5, [True] * 2 + [False] * 3, [True] * 4 + [False]])


def results(layer, inputs, initial_state, mask):
    """Outputs and states in training, and the gradients of all that they depend on."""
    inputs, *initial_state = (tf.constant(tensor) for tensor in (inputs, *initial_state))
    weights = [weight.value for weight in layer.trainable_weights]
    with tf.GradientTape() as tape:
        tape.watch([inputs, *initial_state])
        outputs = layer(inputs, initial_state=initial_state, mask=mask, training=True)
        loss = sum(
            tf.reduce_sum(tf.sin(tensor * (index + 1.0))) for index, tensor in enumerate(outputs)
        )
    return [*outputs, *tape.gradient(loss, [inputs, *initial_state, *weights])]


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "padded"])
@pytest.mark.parametrize("use_bias", [True, False])
def test_outputs_states_and_gradients_are_those_of_keras(backwards, mask, use_bias, monkeypatch):
    monkeypatch.setattr(lstm, "is_faster", lambda: True)
    options = {"return_sequences": True, "return_state": True, "use_bias": use_bias}
    ours = LSTM(4, go_backwards=backwards, **options)
    reference = keras.layers.LSTM(4, go_backwards=backwards, use_cudnn=False, **options)
    for layer in (ours, reference):
        layer.build((None, 5, 3))
    for weight, own in zip(reference.weights, ours.weights, strict=True):
        own.assign(RANDOM.normal(size=own.shape))
        weight.assign(own)
    inputs = RANDOM.normal(size=(3, 5, 3)).astype("float32")
    state = [RANDOM.normal(size=(3, 4)).astype("float32") for _ in range(2)]
    if backwards and mask is not None:
        # Padding comes first: there Keras answers with zeros, ours with the state.
        state = [np.zeros((3, 4), "float32")] * 2
    expected, found = (results(layer, inputs, state, mask) for layer in (reference, ours))
    if backwards and mask is not None:
        del expected[4:6], found[4:6]  # The gradients of that state.
    for got, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


def test_it_is_taken_in_training_only(monkeypatch):
    calls = []
    monkeypatch.setattr(lstm, "lstm", lambda *args: calls.append(args) or WRITTEN_OUT(*args))
    monkeypatch.setattr(lstm, "is_faster", lambda: True)
    layer, inputs = LSTM(4), np.ones((1, 3, 2), "float32")
    layer(inputs, training=False)
    assert not calls
    layer(inputs, training=True)
    assert len(calls) == 1
    monkeypatch.setattr(lstm, "is_faster", lambda: False)
    layer(inputs, training=True)
    assert len(calls) == 1

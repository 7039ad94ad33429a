"""Recurrent layers whose gradients are written out, against Keras's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from shared.layers import recurrences
from shared.layers.recurrences import whole_sequences

RANDOM = np.random.default_rng(0)
MASK = np.array([[True] * 5, [True] * 2 + [False] * 3, [True] * 4 + [False]])
NAMES = ["SimpleRNN", "LSTM", "GRU"]


def results(layer, inputs, initial_state, mask):
    """Outputs and states in training; gradients of initial states; those of inputs, weights."""
    tensors = (inputs, *initial_state)
    inputs, *initial_state = (tf.convert_to_tensor(tensor) for tensor in tensors)
    weights = [weight.value for weight in layer.trainable_weights]
    with tf.GradientTape() as tape:
        tape.watch([inputs, *initial_state])
        outputs = layer(inputs, initial_state=initial_state, mask=mask, training=True)
        loss = sum(
            tf.reduce_sum(tf.sin(tensor * (index + 1.0))) for index, tensor in enumerate(outputs)
        )
    states, others = tape.gradient(loss, [initial_state, [inputs, *weights]])
    return outputs, states, others


@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "padded"])
@pytest.mark.parametrize("use_bias", [True, False], ids=["bias", "plain"])
@pytest.mark.parametrize("name", NAMES)
def test_outputs_and_gradients_are_those_of_keras(name, use_bias, mask, backwards, monkeypatch):
    monkeypatch.setattr(whole_sequences, "is_faster", lambda: True)
    options = {"return_sequences": True, "return_state": True, "use_bias": use_bias}
    layers = [
        getattr(module, name)(4, go_backwards=backwards, **options)
        for module in (recurrences, keras.layers)
    ]
    for layer in layers:
        layer.build((None, 5, 3))
        layer.use_cudnn = False
    for own, weight in zip(*(layer.weights for layer in layers), strict=True):
        own.assign(RANDOM.normal(size=own.shape))
        weight.assign(own)
    inputs = RANDOM.normal(size=(3, 5, 3)).astype("float32")
    state = [RANDOM.normal(size=(3, 4)).astype("float32") for _ in range(1 + (name == "LSTM"))]
    padding_first = backwards and mask is not None
    if padding_first:  # There Keras answers with zeros, ours with the state.
        state = [np.zeros((3, 4), "float32") for _ in state]
    found, expected = (results(layer, inputs, state, mask) for layer in layers)
    for index, pair in enumerate(zip(found, expected, strict=True)):
        if index != 1 or not padding_first:
            for got, wanted in zip(*pair, strict=True):
                np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "padded"])
@pytest.mark.parametrize("name", NAMES)
def test_sequences_may_be_of_any_length(name, mask, monkeypatch):
    monkeypatch.setattr(whole_sequences, "is_faster", lambda: True)
    layer = getattr(recurrences, name)(4, return_sequences=True, return_state=True)
    layer.build((None, None, 3))
    state = [np.zeros((3, 4), "float32")] * (1 + (name == "LSTM"))
    inputs = RANDOM.normal(size=(3, 5, 3)).astype("float32")
    expected = results(layer, inputs, state, mask)
    specs = [tf.TensorSpec([None, None, 3])] + [tf.TensorSpec([None, None], tf.bool)] * (
        mask is not None
    )

    @tf.function(input_signature=specs)
    def of_any_length(inputs, mask=None):
        return results(layer, inputs, state, mask)

    found = of_any_length(*([inputs] if mask is None else [inputs, mask]))
    for got, wanted in zip(tf.nest.flatten(found), tf.nest.flatten(expected), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "training, faster, dropout, count",
    [(False, True, 0, 0), (True, False, 0, 0), (True, True, 0, 1), (True, True, 0.5, 0)],
)
def test_only_training_without_inner_dropout_is_written_out(
    name, training, faster, dropout, count, monkeypatch
):
    monkeypatch.setattr(whole_sequences, "is_faster", lambda: faster)
    layer, calls = getattr(recurrences, name)(4, recurrent_dropout=dropout), []
    layer.recur = lambda *args: calls.append(args) or type(layer).recur(layer, *args)
    layer(np.ones((1, 3, 2), "float32"), training=training)
    assert len(calls) == count

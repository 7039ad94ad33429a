"""Recurrent encoder, bridge, cells and decoder: contract, and the formulas in numpy."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from shared.layers import AttentionDecoder, RecurrentEncoder, RecurrentStack, StateBridge
from shared.layers.cell_stack import CellStack
from shared.testing.layer_test import run_layer_test

RANDOM = np.random.default_rng(0)
LENGTHS = [5, 2]
MASK = np.arange(5) < np.array(LENGTHS)[:, None]


def noise(*shape):
    return RANDOM.normal(size=shape).astype("float32")


def perturb(layer):
    """Moves all weights, biases too, off their initial values."""
    generator = np.random.default_rng(1)
    for weight in layer.trainable_weights:
        weight.assign(weight + generator.normal(0, 0.3, weight.shape))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# PyTorch's documentation of nn.LSTM and nn.GRU, with its order of gates; Keras keeps its LSTM
# kernel as [i, f, g, o] and its GRU kernel as [z, r, n], with two biases.


def torch_lstm(cell, x, h, c):
    w, u, b = (np.asarray(weight) for weight in (cell.kernel, cell.recurrent_kernel, cell.bias))
    n = len(h)
    i, f, g, o = (x @ w[:, p] + h @ u[:, p] + b[p] for p in parts(4, n))
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return [sigmoid(o) * np.tanh(c), c]


def torch_gru(cell, x, h):
    w, u, b = (np.asarray(weight) for weight in (cell.kernel, cell.recurrent_kernel, cell.bias))
    z_part, r_part, n_part = parts(3, len(h))
    r = sigmoid(x @ w[:, r_part] + b[0, r_part] + h @ u[:, r_part] + b[1, r_part])
    z = sigmoid(x @ w[:, z_part] + b[0, z_part] + h @ u[:, z_part] + b[1, z_part])
    n = np.tanh(x @ w[:, n_part] + b[0, n_part] + r * (h @ u[:, n_part] + b[1, n_part]))
    return [(1 - z) * n + z * h]


def parts(count, size):
    return [slice(index * size, (index + 1) * size) for index in range(count)]


def elman(cell, x, h):
    w, u, b = (np.asarray(weight) for weight in (cell.kernel, cell.recurrent_kernel, cell.bias))
    return [np.tanh(x @ w + h @ u + b)]


def torch_step(cell, x, states):
    if isinstance(cell, keras.layers.SimpleRNNCell):
        return elman(cell, x, *states)
    step = torch_lstm if isinstance(cell, keras.layers.LSTMCell) else torch_gru
    return step(cell, x, *states)


def run_direction(cell, sequence):
    """Outputs and last states of one sequence (T, E) without padding."""
    states = [np.zeros(cell.units)] * (2 if isinstance(cell, keras.layers.LSTMCell) else 1)
    outputs = []
    for x in sequence:
        states = torch_step(cell, x, states)
        outputs.append(states[0])
    return np.array(outputs), states


# === Stack ===


@pytest.mark.parametrize("cell, states", [("rnn", 2), ("lstm", 4), ("gru", 2)])
def test_stack_contract(cell, states):
    run_layer_test(
        RecurrentStack,
        {"hidden_dim": 6, "num_layers": 2, "cell": cell, "dropout": 0.2},
        {"inputs": (2, 5, 3), "padding_mask": MASK},
        [(2, 5, 6), (2, states, 6)],
        supports_padding_mask=True,
    )


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_stack_is_the_formula_and_its_steps_are_the_same(cell):
    stack, inputs = RecurrentStack(6, num_layers=2, cell=cell), noise(2, 5, 3)
    stack(inputs, MASK)
    perturb(stack)
    outputs, states = (np.asarray(tensor) for tensor in stack(inputs, MASK))
    for row, length in enumerate(LENGTHS):
        x, expected = inputs[row, :length], []
        for layer in stack.stack:
            x, last = run_direction(layer.cell, x)
            expected += last
        np.testing.assert_allclose(outputs[row, :length], x, atol=1e-5)
        np.testing.assert_allclose(states[row], expected, atol=1e-5)
    now = np.zeros_like(states)
    for index in range(5):
        output, now = stack.step(inputs[:, index], now)
        np.testing.assert_allclose(output[0], outputs[0, index], atol=1e-5)
    np.testing.assert_allclose(now[0], states[0], atol=1e-5)


def test_gradients_of_an_elman_cell_are_those_of_the_formula():
    """Backpropagation through time, by hand: h_t = tanh(x_t W + h_{t-1} U + b)."""
    stack, x = RecurrentStack(4, cell="rnn"), noise(1, 6, 3)
    stack(x)
    perturb(stack)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(stack(x)[0][:, -1] ** 2)
    found = tape.gradient(loss, [weight.value for weight in stack.trainable_weights])
    w, u, b = (np.asarray(weight, np.float64) for weight in stack.trainable_weights)
    h = [np.zeros(4)]
    for t in range(6):
        h.append(np.tanh(x[0, t] @ w + h[-1] @ u + b))
    dw, du, db, dh = np.zeros_like(w), np.zeros_like(u), np.zeros_like(b), 2 * h[-1]
    for t in reversed(range(6)):
        da = dh * (1 - h[t + 1] ** 2)
        dw, du, db = dw + np.outer(x[0, t], da), du + np.outer(h[t], da), db + da
        dh = da @ u.T
    for got, expected in zip(found, (dw, du, db), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)


def test_stack_refuses_an_unknown_cell():
    with pytest.raises(ValueError, match="cell is rnn, lstm, gru, not 'plain'"):
        RecurrentStack(4, cell="plain")


# === Encoder ===


@pytest.mark.parametrize("cell, states", [("lstm", 4), ("gru", 2)])
def test_encoder_contract(cell, states):
    run_layer_test(
        RecurrentEncoder,
        {"hidden_dim": 6, "num_layers": 2, "cell": cell, "dropout": 0.2, "residual": True},
        {"inputs": (2, 5, 3), "padding_mask": MASK},
        [(2, 5, 6), (2, states, 6)],
        supports_padding_mask=True,
    )


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("residual", [False, True])
def test_encoder_is_the_formula_on_every_sequence_alone(cell, residual):
    encoder = RecurrentEncoder(6, num_layers=2, cell=cell, residual=residual)
    inputs = noise(2, 5, 3)
    encoder(inputs, MASK)
    perturb(encoder)
    outputs, states = (np.asarray(tensor) for tensor in encoder(inputs, MASK))
    for row, length in enumerate(LENGTHS):
        x, expected = inputs[row, :length], []
        for index in range(2):
            there, last = run_direction(encoder.forwards[index].cell, x)
            back, first = run_direction(encoder.backwards[index].cell, x[::-1])
            both = np.concatenate([there, back[::-1]], axis=-1)
            expected += [np.concatenate(pair) for pair in zip(last, first, strict=True)]
            x = x + both if residual and index else both
        np.testing.assert_allclose(outputs[row, :length], x, atol=1e-5)
        np.testing.assert_allclose(states[row], expected, atol=1e-5)
        assert not outputs[row, length:].any()


def test_encoder_drops_between_its_layers_in_training_only():
    encoder, inputs = RecurrentEncoder(6, num_layers=2, dropout=0.5), noise(2, 5, 3)
    calm = [np.asarray(encoder(inputs, training=False)[0]) for _ in range(2)]
    wild = [np.asarray(encoder(inputs, training=True)[0]) for _ in range(2)]
    np.testing.assert_array_equal(*calm)
    assert (wild[0] != wild[1]).any()
    one = RecurrentEncoder(6, dropout=0.5)
    both = (one(inputs, training=True)[0], one(inputs, training=False)[0])
    np.testing.assert_allclose(*both, atol=1e-6)


def test_encoder_asks_for_cudnn_in_training_only():
    """Exported models must run on machines without a GPU."""
    encoder, inputs = RecurrentEncoder(6), noise(2, 5, 3)
    for training, expected in [(True, "auto"), (False, False), (None, False)]:
        encoder(inputs, MASK, training=training)
        assert {d.use_cudnn for d in encoder.forwards + encoder.backwards} == {expected}


@pytest.mark.gpu
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-3), ("mixed_bfloat16", 0.05)])
def test_encoder_is_the_same_in_cudnn(cell, dtype, tolerance):
    if not tf.config.list_logical_devices("GPU"):
        pytest.skip("no GPU")
    encoder = RecurrentEncoder(6, num_layers=2, cell=cell, dtype=dtype)
    inputs = noise(2, 5, 3)
    plain = encoder(inputs, MASK, training=False)
    for a, b in zip(encoder(inputs, MASK, training=True), plain, strict=True):
        np.testing.assert_allclose(tf.cast(a, "float32"), tf.cast(b, "float32"), atol=tolerance)


@pytest.mark.parametrize("arguments", [{"hidden_dim": 5}, {"hidden_dim": 6, "cell": "rnn"}])
def test_encoder_refuses(arguments):
    with pytest.raises(ValueError, match="even|rnn"):
        RecurrentEncoder(**arguments)


# === Bridge and cells ===


def test_bridge_contract_and_formula():
    states = noise(2, 3, 4)
    run_layer_test(StateBridge, {"hidden_dim": 6}, states, (2, 3, 6))
    bridge = StateBridge(6)
    bridge(states)
    perturb(bridge)
    kernels = [(np.asarray(part.kernel), np.asarray(part.bias)) for part in bridge.parts]
    expected = [np.tanh(states[:, index] @ w + b) for index, (w, b) in enumerate(kernels)]
    np.testing.assert_allclose(bridge(states), np.stack(expected, axis=1), atol=1e-5)


@pytest.mark.parametrize("cell, states", [("lstm", 4), ("gru", 2)])
@pytest.mark.parametrize("residual", [False, True])
def test_cell_stack_contract_and_formula(cell, states, residual):
    arguments = {"hidden_dim": 4, "num_layers": 2, "cell": cell, "residual": residual}
    given = {"inputs": noise(3, 5), "states": noise(3, states, 4)}
    run_layer_test(CellStack, arguments, given, [(3, 4), (3, states, 4)])
    stack = CellStack(**arguments)
    stack(**given)
    perturb(stack)
    output, after = (np.asarray(tensor) for tensor in stack(**given))
    for row in range(3):
        x, expected, size = given["inputs"][row], [], states // 2
        for index, keras_cell in enumerate(stack.cells):
            old = given["states"][row, index * size : (index + 1) * size]
            new = torch_step(keras_cell, x, old)
            x = x + new[0] if residual and index else new[0]
            expected += new
        np.testing.assert_allclose(output[row], x, atol=1e-5)
        np.testing.assert_allclose(after[row], expected, atol=1e-5)


# === Decoder ===

STATES = {"lstm": 2, "gru": 1}
COMBINATIONS = [
    {"cell": cell, "attention": attention, "query_first": first, "input_feeding": feeding}
    for cell, attention, first, feeding in itertools.product(
        ["lstm", "gru"], ["additive", "general"], [False, True], [False, True]
    )
] + [{"attention": "dot"}, {"attention": "concat", "input_feeding": False}]


def name_of(arguments):
    return "-".join(str(value) for value in arguments.values())


def decoder_and_inputs(num_layers=2, batch=2, **arguments):
    decoder = AttentionDecoder(6, num_layers=num_layers, residual=True, **arguments)
    states = num_layers * STATES[decoder.cell]
    given = {
        "inputs": noise(batch, 4, 3),
        "memory": noise(batch, 5, 6),
        "initial_state": noise(batch, states, 6),
        "padding_mask": MASK[:batch],
    }
    decoder(**given)
    perturb(decoder)
    return decoder, given


@pytest.mark.parametrize(
    "arguments",
    [{}, {"cell": "gru", "query_first": True}, {"num_layers": 2, "input_feeding": False}],
    ids=name_of,
)
def test_decoder_contract(arguments):
    states = arguments.get("num_layers", 1) * STATES[arguments.get("cell", "lstm")]
    run_layer_test(
        AttentionDecoder,
        {"hidden_dim": 6, "dropout": 0.2, "seed": 3, **arguments},
        {
            "inputs": (2, 4, 3),
            "memory": (2, 5, 6),
            "initial_state": (2, states, 6),
            "padding_mask": MASK,
        },
        (2, 4, 6),
        supports_padding_mask=True,
    )


@pytest.mark.parametrize("arguments", COMBINATIONS, ids=name_of)
def test_decoder_gives_the_same_step_by_step(arguments):
    decoder, given = decoder_and_inputs(**arguments)
    expected = np.asarray(decoder(**given))
    memory, mask = given["memory"], given["padding_mask"]
    keys = decoder.keys(memory)
    state = decoder.start(given["initial_state"], beam_size=3)
    for time in range(4):
        inputs = np.repeat(given["inputs"][:, None, time], 3, axis=1)
        vectors, state, weights = decoder.step(inputs, state, keys, memory, mask)
        for hypothesis in range(3):
            np.testing.assert_allclose(
                np.asarray(vectors)[:, hypothesis], expected[:, time], atol=1e-5
            )
        np.testing.assert_allclose(np.sum(weights, axis=-1), 1, atol=1e-5)
        assert not np.asarray(weights)[1, :, LENGTHS[1] :].any()


def plain_decoder(decoder, inputs, memory, states):
    """One layer, general attention, one sequence (T, E) on a memory (S, M), as in the papers."""
    (cell,), combine = decoder.stack.cells, np.asarray(decoder.combine.kernel)
    states, vector, vectors = list(states), np.zeros(decoder.hidden_dim), []
    for x in inputs:
        context = attend(decoder, states[0], memory) if decoder.query_first else None
        fed = [context] if decoder.query_first else []
        fed += [vector] if decoder.input_feeding else []
        states = torch_step(cell, np.concatenate([x, *fed]), states)
        if context is None:
            context = attend(decoder, states[0], memory)
        vector = np.tanh(np.concatenate([context, states[0]]) @ combine)
        vectors.append(vector)
    return np.array(vectors)


def attend(decoder, query, memory):
    scores = memory @ np.asarray(decoder.score.kernel) @ query
    shares = np.exp(scores) / np.exp(scores).sum()
    return shares @ memory


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("query_first", [False, True])
@pytest.mark.parametrize("input_feeding", [False, True])
def test_decoder_is_the_formula(cell, query_first, input_feeding):
    decoder, given = decoder_and_inputs(
        num_layers=1, cell=cell, query_first=query_first, input_feeding=input_feeding
    )
    outputs = decoder(**given)
    for row, length in enumerate(LENGTHS):
        expected = plain_decoder(
            decoder,
            given["inputs"][row],
            given["memory"][row, :length],
            given["initial_state"][row],
        )
        np.testing.assert_allclose(outputs[row], expected, atol=1e-5)


@pytest.mark.parametrize("arguments", COMBINATIONS[::3], ids=name_of)
def test_gradient_in_a_graph_of_unknown_lengths_is_the_eager_one(arguments):
    decoder, given = decoder_and_inputs(**arguments)

    def gradients(inputs, memory, initial_state, padding_mask):
        with tf.GradientTape() as tape:
            tape.watch([inputs, memory, initial_state])
            loss = tf.reduce_sum(
                decoder(inputs, memory, initial_state, padding_mask, training=True) ** 2
            )
        weights = [weight.value for weight in decoder.trainable_weights]
        return tape.gradient(loss, [inputs, memory, initial_state, *weights])

    specs = [
        tf.TensorSpec((None, None, 3)),
        tf.TensorSpec((None, None, 6)),
        tf.TensorSpec((None, given["initial_state"].shape[1], 6)),
        tf.TensorSpec((None, None), tf.bool),
    ]
    graph = tf.function(gradients, input_signature=specs)
    tensors = [tf.constant(value) for value in given.values()]
    eager = gradients(*tensors)
    assert all(gradient is not None for gradient in eager)
    for a, b in zip(graph(*tensors), eager, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_decoder_drops_between_its_cells_in_training_only():
    _, given = decoder_and_inputs()
    decoder = AttentionDecoder(6, num_layers=2, dropout=0.5)
    calm = [np.asarray(decoder(**given, training=False)) for _ in range(2)]
    wild = [np.asarray(decoder(**given, training=True)) for _ in range(2)]
    np.testing.assert_array_equal(*calm)
    assert (wild[0] != wild[1]).any()


@pytest.mark.parametrize("arguments", COMBINATIONS[:8], ids=name_of)
def test_scheduled_sampling_reads_inputs_made_of_the_decoders_own_vectors(arguments):
    decoder, given = decoder_and_inputs(**arguments)
    kernel = noise(6, 3)

    def own_inputs(vectors):
        return tf.tanh(tf.matmul(vectors, kernel))

    def vectors(is_own):
        return np.asarray(decoder.sample_scheduled(**given, is_own=is_own, own_inputs=own_inputs))

    none = vectors(np.zeros((2, 4), bool))
    np.testing.assert_allclose(none, decoder(**given), atol=1e-5)

    is_own = np.array([[False, True, False, True], [False, False, True, True]])
    outputs = vectors(is_own)
    inputs = given["inputs"].copy()
    for time in range(1, 4):  # The vectors that were read, written into the inputs.
        own = own_inputs(outputs[:, time - 1]).numpy()
        inputs[:, time] = np.where(is_own[:, time, None], own, inputs[:, time])
    np.testing.assert_allclose(outputs, decoder(**given | {"inputs": inputs}), atol=1e-5)

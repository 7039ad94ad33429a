"""Transformer layers against Keras's own attention, the papers' formulas and themselves."""

import keras
import numpy as np
import pytest
from keras import ops

from shared.layers import (
    FeedForward,
    LayerNormalization,
    LearnedPositions,
    MultiHeadAttention,
    SinusoidalPositions,
    TransformerCausalBlock,
    TransformerDecoderBlock,
    TransformerEncoderBlock,
    multi_head_attention,
)
from shared.layers.multi_head_attention import (
    causal_attention_mask,
    masked_softmax,
    padding_attention_mask,
    slot_writer,
)
from shared.layers.position_encoding import rotate
from shared.testing.layer_test import run_layer_test

BLOCK = {"num_heads": 2, "hidden_dim": 8, "intermediate_dim": 12}


def random(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype("float32")


@pytest.mark.parametrize(
    ("layer", "arguments"),
    [
        (MultiHeadAttention, {"num_heads": 2, "hidden_dim": 8, "dropout": 0.1}),
        (TransformerCausalBlock, BLOCK | {"rotary": True}),
        (FeedForward, {"intermediate_dim": 12, "hidden_dim": 8, "activation": "gelu"}),
        (FeedForward, {"intermediate_dim": 12, "hidden_dim": 8, "activation": "reglu"}),
        (SinusoidalPositions, {"max_wavelength": 100.0}),
        (LearnedPositions, {"max_length": 3, "embeddings_initializer": "glorot_normal"}),
        (LayerNormalization, {"epsilon": 1e-6}),
        (TransformerEncoderBlock, BLOCK | {"norm": "pre", "dropout": 0.1}),
        (
            TransformerEncoderBlock,
            BLOCK | {"norm": "post", "epsilon": 1e-3, "kernel_initializer": "he_uniform"},
        ),
    ],
)
def test_layers_of_one_input(layer, arguments):
    run_layer_test(layer, arguments, (2, 5, 8), (2, 5, 8))


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_decoder_block(norm):
    run_layer_test(
        TransformerDecoderBlock,
        BLOCK | {"norm": norm},
        {"inputs": (2, 5, 8), "memory": (2, 4, 6)},
        (2, 5, 8),
    )


def test_attention_returns_its_weights():
    layer = MultiHeadAttention(2, 8)
    inputs, memory = random(2, 5, 8), random(2, 3, 4)
    outputs = layer(inputs, memory=memory)
    found, weights, _ = layer.attend(inputs, memory)
    assert outputs.shape == (2, 5, 8)
    np.testing.assert_array_equal(found, outputs)
    np.testing.assert_allclose(ops.sum(weights, axis=-1), np.ones((2, 2, 5)), rtol=1e-5)


def test_attention_equals_keras():
    """Same weights, same inputs, a mask of both kinds."""
    inputs, memory = random(2, 5, 8), random(2, 4, 8)
    ours, theirs = MultiHeadAttention(2, 8), keras.layers.MultiHeadAttention(2, 4)
    mask = np.random.default_rng(0).random((2, 5, 4)) < 0.7
    mask[..., 0] = True
    found = ours(inputs, memory=memory, attention_mask=mask[:, None])
    theirs(inputs, memory)
    kernel, bias = ours.query.get_weights()
    both, both_bias = ours.key_value.get_weights()
    out, out_bias = ours.output_dense.get_weights()
    theirs.set_weights(
        [
            kernel.reshape(8, 2, 4), bias.reshape(2, 4),
            both[:, :8].reshape(8, 2, 4), both_bias[:8].reshape(2, 4),
            both[:, 8:].reshape(8, 2, 4), both_bias[8:].reshape(2, 4),
            out.reshape(2, 4, 8), out_bias,
        ]
    )  # fmt: skip
    expected = theirs(inputs, memory, attention_mask=mask)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="does not divide"):
        MultiHeadAttention(3, 8)


def test_norm_must_be_known():
    with pytest.raises(ValueError, match="neither 'pre' nor 'post'"):
        TransformerEncoderBlock(**BLOCK, norm="none")


def test_padding_is_not_seen():
    block = TransformerEncoderBlock(**BLOCK)
    inputs = random(2, 5, 8)
    mask = np.array([[True] * 3 + [False] * 2, [True] * 5])
    other = inputs.copy()
    other[0, 3:] = 7.0
    one = block(inputs, attention_mask=padding_attention_mask(mask))
    two = block(other, attention_mask=padding_attention_mask(mask))
    np.testing.assert_allclose(one[0, :3], two[0, :3], atol=1e-6)
    assert np.abs(one[0, 3:] - two[0, 3:]).max() > 0.1


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_steps_with_a_cache_equal_the_whole_sequence(norm):
    """Two hypotheses side by side, each seeing only its own slots."""
    block = TransformerDecoderBlock(**BLOCK, norm=norm)
    sequences, memory = random(2, 5, 8), random(1, 4, 6)
    mask = padding_attention_mask(np.array([[True, True, True, False]]))
    whole = block(sequences, ops.repeat(memory, 2, axis=0), mask)
    memory_heads = block.cross_attention.keys_and_values(memory)
    cache = (ops.zeros((1, 2, 10, 4)), ops.zeros((1, 2, 10, 4)))
    own = np.zeros((1, 1, 2, 10), bool)
    for index in range(5):
        slots = np.array([2 * index, 2 * index + 1])
        own[0, 0, [0, 1], slots] = True
        write = slot_writer(1, 2, slots)
        step, cache, weights = block.step(
            sequences[None, :, index], cache, write, own, memory_heads, mask
        )
        np.testing.assert_allclose(step[0], whole[:, index], atol=1e-5)
        np.testing.assert_allclose(weights[..., 3], 0.0, atol=1e-7)


@pytest.mark.parametrize(("rotary", "few_numbers"), [(False, 1 << 16), (True, 0)])
def test_a_causal_block_goes_on_from_what_it_read(rotary, few_numbers, monkeypatch):
    """Two rows that begin to be continued at other positions, by both kinds of products."""
    monkeypatch.setattr(multi_head_attention, "FEW_NUMBERS", few_numbers)
    block = TransformerCausalBlock(**BLOCK, rotary=rotary)
    sequences, lengths = random(2, 6, 8), np.array([3, 2])
    whole = np.asarray(block(sequences))
    np.testing.assert_allclose(block(sequences[:, :3]), whole[:, :3], atol=1e-5)
    _, cache = block.read(sequences[:, :3])
    cache = tuple(ops.pad(each, [[0, 0], [0, 0], [0, 3], [0, 0]]) for each in cache)
    slots = np.arange(6)
    for index in range(3):
        positions = lengths + index
        mask = (slots < lengths[:, None]) | ((slots >= 3) & (slots <= 3 + index))
        step, cache = block.step(
            sequences[[0, 1], positions][:, None],
            cache,
            slot_writer(2, 2, np.array([3 + index])),
            mask[:, None, None],
            ops.convert_to_tensor(positions[:, None]),
        )
        np.testing.assert_allclose(step[:, 0], whole[[0, 1], positions], atol=1e-5)


def test_a_mask_is_the_same_in_training():
    scores, mask = random(2, 3, 4, 4), causal_attention_mask(4)
    weights = [np.asarray(masked_softmax(scores, mask, training)) for training in (True, False)]
    np.testing.assert_allclose(*weights, atol=1e-6)
    assert not weights[1][..., 0, 1:].any()


def test_rotated_products_depend_on_the_distance_alone():
    """And are those of complex numbers turned by p / 10000**(2 i / d)."""
    heads = random(1, 1, 7, 8)
    turned = np.asarray(rotate(heads, np.arange(7)))[0, 0]
    numbers = heads[0, 0, :, :4] + 1j * heads[0, 0, :, 4:]
    angles = np.arange(7)[:, None] / 10000 ** (2 * np.arange(4) / 8)
    expected = numbers * np.exp(1j * angles)
    np.testing.assert_allclose(turned[:, :4] + 1j * turned[:, 4:], expected, atol=1e-5)
    moved = np.asarray(rotate(heads, np.arange(7)[None] + 100))[0, 0]
    np.testing.assert_allclose(moved @ moved.T, turned @ turned.T, atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "shapes", "message"),
    [
        ({"num_heads": 2, "hidden_dim": 6}, [(1, 2, 6)], "heads of an even width, not 3"),
        ({"num_heads": 2, "hidden_dim": 8}, [(1, 2, 8), (1, 3, 8)], "for self-attention"),
    ],
)
def test_what_cannot_rotate_is_refused(arguments, shapes, message):
    with pytest.raises(ValueError, match=message):
        MultiHeadAttention(**arguments, rotary=True).build(*shapes)


@pytest.mark.parametrize("layer", [LearnedPositions(max_length=9), SinusoidalPositions()])
def test_rows_may_begin_at_other_positions(layer):
    inputs = random(3, 2, 8)
    found = np.asarray(layer(inputs, begin=np.array([4, 0, 6])))
    for row, begin in enumerate([4, 0, 6]):
        np.testing.assert_allclose(found[row], layer(inputs[row : row + 1], begin=begin)[0])


def test_causal_mask():
    expected = np.tril(np.ones((4, 4), bool))
    np.testing.assert_array_equal(causal_attention_mask(4)[0, 0], expected)


def test_sinusoidal_positions_follow_the_paper():
    found = np.array(SinusoidalPositions()(np.zeros((1, 6, 8), "float32"), begin=3))[0]
    for position in range(6):
        for i in range(4):
            angle = (position + 3) / 10000 ** (2 * i / 8)
            np.testing.assert_allclose(found[position, i], np.sin(angle), atol=1e-5)
            np.testing.assert_allclose(found[position, 4 + i], np.cos(angle), atol=1e-5)


def test_learned_positions_end_at_the_last():
    layer = LearnedPositions(max_length=3)
    found = np.array(layer(np.zeros((1, 5, 4), "float32")))[0]
    np.testing.assert_array_equal(found[2], found[4])
    np.testing.assert_array_equal(found[1:3], np.array(layer(np.zeros((1, 2, 4)), begin=1))[0])


def test_scores_are_what_the_weights_come_from():
    inputs = np.random.default_rng(0).normal(size=(2, 5, 16)).astype("float32")
    mask = np.array([[True] * 5, [True] * 3 + [False] * 2])[:, None, None, :]
    layer = MultiHeadAttention(4, 16)
    layer.build(inputs.shape)
    _, weights, scores = layer.attend(inputs, attention_mask=mask)
    powers = np.where(mask, np.exp(np.array(scores)), 0)
    np.testing.assert_allclose(weights, powers / powers.sum(-1, keepdims=True), atol=1e-6)
    # Not masked: padded positions have scores as well.
    assert np.abs(np.array(scores)[1, :, :, 4]).min() > 0


def test_fewer_heads_of_the_same_width():
    """Three heads of four are what is left when one is cut out."""
    inputs = np.random.default_rng(0).normal(size=(2, 5, 16)).astype("float32")
    whole, part = MultiHeadAttention(4, 16), MultiHeadAttention(3, 16, head_dim=4)
    whole(inputs), part(inputs)
    parts = np.split(np.array(whole.query_key_value.kernel), 3, axis=1)
    part.query_key_value.kernel.assign(np.concatenate([kernel[:, :12] for kernel in parts], 1))
    output = np.array(whole.output_dense.kernel)
    part.output_dense.kernel.assign(output[:12])
    # The fourth head gives nothing where its rows of the output are zero.
    whole.output_dense.kernel.assign(np.concatenate([output[:12], np.zeros((4, 16))]))
    np.testing.assert_allclose(part(inputs), whole(inputs), atol=1e-5)


@pytest.mark.parametrize("queries", [1, 5])
@pytest.mark.parametrize("heads", [4, 3])
def test_attention_of_the_first_position_alone(heads, queries):
    """Another order of products, the same numbers, whatever the mask has for other positions."""
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(3, 5, 16)).astype("float32")
    mask = generator.random((3, 1, queries, 5)) < 0.6
    mask[..., 0] = True
    layer = MultiHeadAttention(heads, 16, head_dim=4)
    layer(inputs)
    for weight in layer.trainable_weights:
        weight.assign(generator.normal(size=weight.shape) * 0.4)
    first = layer.attend_from_first(inputs, mask)
    whole = layer.attend(inputs, attention_mask=mask)
    np.testing.assert_allclose(first.outputs, whole.outputs[:, :1], atol=1e-5)
    np.testing.assert_allclose(first.weights, whole.weights[:, :, :1], atol=1e-5)
    np.testing.assert_allclose(first.scores, whole.scores[:, :, :1], atol=1e-5)


def test_attention_is_called_as_it_was_built():
    one, two = MultiHeadAttention(2, 8), MultiHeadAttention(2, 8)
    inputs, memory = random(2, 5, 8), random(2, 3, 8)
    one(inputs), two(inputs, memory)
    with pytest.raises(ValueError, match="built for inputs alone"):
        one(inputs, memory)
    with pytest.raises(ValueError, match="built for inputs and a memory"):
        two(inputs)
    with pytest.raises(ValueError, match="only self-attention"):
        two.attend_from_first(inputs)


@pytest.mark.parametrize("parts", ["query", "key_value", "query_key_value"])
def test_each_part_is_initialised_as_a_matrix_of_its_own(parts):
    """Glorot's uniform bounds, also where the heads are narrower than the inputs."""
    layer = MultiHeadAttention(8, 256, head_dim=16)
    inputs = np.zeros((1, 2, 256), "float32")
    layer(inputs) if parts == "query_key_value" else layer(inputs, inputs)
    kernel = np.array(getattr(layer, parts).kernel)
    bound = np.sqrt(6 / (256 + 128))
    assert np.abs(kernel).max() == pytest.approx(bound, rel=0.01)
    assert kernel.std() == pytest.approx(bound / np.sqrt(3), rel=0.02)


@pytest.mark.parametrize(
    ("initializer", "deviation"),
    [
        (keras.initializers.RandomNormal(stddev=0.3), 0.3),
        ("he_normal", np.sqrt(2 / 64)),
        ("lecun_uniform", np.sqrt(1 / 64)),
    ],
)
def test_every_matrix_is_drawn_anew_from_the_given_initializer(initializer, deviation):
    """One instance of Keras repeats its numbers at every call."""
    block = TransformerEncoderBlock(4, 64, 64, kernel_initializer=initializer)
    block.build((None, None, 64))
    attention, feed_forward = block.attention, block.feed_forward
    kernels = [
        *np.split(np.array(attention.query_key_value.kernel), 3, axis=1),
        *(np.array(layer.kernel) for layer in (
            attention.output_dense, feed_forward.expand, feed_forward.reduce,
        )),
    ]  # fmt: skip
    for index, kernel in enumerate(kernels):
        assert kernel.std() == pytest.approx(deviation, rel=0.05)
        assert not any(np.array_equal(kernel, other) for other in kernels[:index])
    # The initializer survives saving.
    again = TransformerEncoderBlock.from_config(block.get_config())
    again.build((None, None, 64))
    assert np.array(again.feed_forward.expand.kernel).std() == pytest.approx(deviation, rel=0.05)


def test_dropped_weights_of_the_first_position_drop_its_bias():
    """With values of 1, which a bias alone gives, the output is the sum of the dropped weights."""
    layer = MultiHeadAttention(1, 4, dropout=0.5)
    inputs = random(64, 8, 4)
    layer(inputs)
    layer.query_key_value.kernel.assign(np.zeros((4, 12)))
    layer.query_key_value.bias.assign(np.repeat([0.0, 0.0, 1.0], 4))
    layer.output_dense.kernel.assign(np.eye(4))
    sums = np.array(layer.attend_from_first(inputs, training=True).outputs)[:, 0, 0]
    # Eight weights of 1/8, each dropped or doubled.
    np.testing.assert_allclose(sums * 4, np.round(sums * 4), atol=1e-5)
    assert len(set(np.round(sums * 4))) > 2 and 0.8 < sums.mean() < 1.2


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_block_of_the_first_position_alone(norm):
    block, inputs = TransformerEncoderBlock(**BLOCK, norm=norm), random(2, 5, 8)
    mask = padding_attention_mask(np.array([[True] * 5, [True] * 3 + [False] * 2]))
    outputs = block(inputs, attention_mask=mask)
    same, attention = block.with_attention(inputs, mask)
    np.testing.assert_array_equal(same, outputs)
    first, first_attention = block.first_position(inputs, mask)
    np.testing.assert_allclose(first, outputs[:, :1], atol=1e-5)
    np.testing.assert_allclose(first_attention.weights, attention.weights[:, :, :1], atol=1e-6)
    assert first.shape == (2, 1, 8) and first_attention.weights.shape == (2, 2, 1, 5)
    assert block(keras.Input((5, 8))).shape == (None, 5, 8)


def test_approximate_gelu():
    """The formula of BERT's first code."""
    inputs = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    layer = FeedForward(8, 4, "gelu_tanh")
    layer(inputs)
    hidden = inputs @ np.array(layer.expand.kernel)
    inner = np.sqrt(2 / np.pi) * (hidden + 0.044715 * hidden**3)
    expected = (0.5 * hidden * (1 + np.tanh(inner))) @ np.array(layer.reduce.kernel)
    np.testing.assert_allclose(layer(inputs), expected, atol=1e-5)


def test_layer_normalization_equals_that_of_keras():
    """The same numbers, from another order of operations."""
    inputs = 3.0 + 2.0 * random(4, 5, 8)
    ours, keras_layer = LayerNormalization(1e-6), keras.layers.LayerNormalization(epsilon=1e-6)
    for layer in (ours, keras_layer):
        layer.build(inputs.shape)
        layer.set_weights([np.linspace(0.5, 2.0, 8), np.linspace(-1.0, 1.0, 8)])
    np.testing.assert_allclose(ours(inputs), keras_layer(inputs), atol=1e-5)

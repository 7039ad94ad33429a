"""Attention scores: contract, and plain numpy formulas of the papers."""

import numpy as np
import pytest

from shared.layers.attention_score import (
    AdditiveScore,
    ConcatScore,
    DotScore,
    GeneralScore,
    make_score,
)
from shared.testing.layer_test import run_layer_test

RANDOM = np.random.default_rng(0)
MASK = np.array([[True, True, True, True, True], [True, True, False, False, False]])

FORMULAS = {
    "additive": lambda q, m, w: (
        w["scale"][:, 0] @ np.tanh(q @ w["query_kernel"] + m @ w["memory_kernel"])
    ),
    "concat": lambda q, m, w: w["scale"][:, 0] @ np.tanh(np.concatenate([q, m]) @ w["kernel"]),
    "dot": lambda q, m, w: q @ m,
    "general": lambda q, m, w: q @ (m @ w["kernel"]),
}


def noise(*shape):
    return RANDOM.normal(size=shape).astype("float32")


def weights_of(layer):
    return {weight.name: np.asarray(weight) for weight in layer.weights}


def plain_attention(kind, weights, queries, memory, lengths):
    """Context and weights, query by query, over the real positions alone."""
    context = np.zeros((*queries.shape[:2], memory.shape[2]))
    attention = np.zeros((*queries.shape[:2], memory.shape[1]))
    for row, length in enumerate(lengths):
        for index, query in enumerate(queries[row]):
            real = memory[row, :length]
            scores = np.array([FORMULAS[kind](query, m, weights) for m in real])
            shares = np.exp(scores) / np.exp(scores).sum()
            attention[row, index, :length] = shares
            context[row, index] = shares @ real
    return context, attention


@pytest.mark.parametrize("kind", FORMULAS)
def test_attention_is_the_formula(kind):
    queries, memory = noise(2, 3, 4), noise(2, 5, 4)
    layer = make_score(kind, 6)
    context, weights = layer(queries, memory, MASK)
    expected = plain_attention(kind, weights_of(layer), queries, memory, [5, 2])
    np.testing.assert_allclose(context, expected[0], atol=1e-5)
    np.testing.assert_allclose(weights, expected[1], atol=1e-5)
    assert not np.asarray(weights)[~np.repeat(MASK[:, None], 3, axis=1)].any()


@pytest.mark.parametrize("kind", FORMULAS)
def test_keys_made_before_give_the_same(kind):
    queries, memory = noise(2, 3, 4), noise(2, 5, 4)
    layer = make_score(kind, 6)
    expected = layer(queries, memory, MASK)
    actual = layer.attend(queries, layer.keys(memory), memory, MASK)
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "score, arguments, memory_dim",
    [
        (DotScore, {}, 4),
        (GeneralScore, {}, 3),
        (AdditiveScore, {"hidden_dim": 6}, 3),
        (ConcatScore, {"hidden_dim": 6}, 3),
    ],
)
def test_score_contract(score, arguments, memory_dim):
    run_layer_test(
        score,
        arguments,
        {"queries": (2, 3, 4), "memory": (2, 5, memory_dim), "padding_mask": MASK},
        [(2, 3, memory_dim), (2, 3, 5)],
        supports_padding_mask=True,
    )


def test_dot_score_says_that_widths_must_be_equal():
    with pytest.raises(ValueError, match="general score"):
        DotScore()(noise(2, 3, 4), noise(2, 5, 6))


def test_unknown_score_is_refused():
    with pytest.raises(ValueError, match="cosine"):
        make_score("cosine", 4)


def test_a_memory_of_padding_alone_gives_no_nan():
    context, _ = GeneralScore()(noise(1, 2, 4), noise(1, 3, 4), np.zeros((1, 3), bool))
    assert np.isfinite(context).all()

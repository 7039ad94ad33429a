"""Layer-wise learning rates: the factors, and what they do to an update."""

import keras
import numpy as np
import pytest

from apps.bert.finetuning.layer_decay import layer_factors, scale_rates


def test_factors_fall_from_the_head_to_the_embeddings():
    paths = [
        "bert/encoder/token_embedding/embeddings",
        "bert/encoder/block_0/attention/query/kernel",
        "bert/encoder/block_1/feed_forward/reduce/bias",
        "bert/encoder/pooler/kernel",
        "bert/head/dense/kernel",
    ]
    assert layer_factors(paths, 2, 0.5) == [0.125, 0.25, 0.5, 1.0, 1.0]


def test_each_variable_moves_by_its_own_rate():
    variables = [keras.Variable(np.zeros(2, "float32"), name=f"v{n}") for n in range(3)]
    optimizer = keras.optimizers.Adam(0.1)
    factors = [1.0, 0.5, 0.25]
    scale_rates(optimizer, factors)
    optimizer.build(variables)
    optimizer.apply([keras.ops.ones(2)] * 3, variables)
    # Adam's first step is the learning rate.
    for variable, factor in zip(variables, factors, strict=True):
        np.testing.assert_allclose(variable, -0.1 * factor, rtol=1e-4)


def test_a_rate_of_zero_is_possible_and_one_changes_nothing():
    variable, plain = (keras.Variable(np.ones(2, "float32")) for _ in range(2))
    one, two = keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1)
    scale_rates(one, [1.0])
    for optimizer, target in ((one, variable), (two, plain)):
        optimizer.build([target])
        optimizer.apply([keras.ops.ones(2)], [target])
    np.testing.assert_array_equal(variable, plain)
    assert float(variable[0]) == pytest.approx(0.9)

"""Layer-wise learning rates: the factors, and what they do to an update."""

import keras
import numpy as np
import pytest

from apps.bert.finetuning.layer_decay import layer_factors, scale_rates
from shared.engine.training.adam import AdamW


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


def test_weight_decay_has_the_factor_too():
    """AdamW with a parameter group for each layer, in NumPy.

    `torch.optim.AdamW` begins a step with `p *= 1 - lr * weight_decay`, lr that of the group.
    """
    generator, decay, rates = np.random.default_rng(0), 0.3, [0.1, 0.07, 0.05]
    factors, names = [1.0, 0.5, 0.25], ["head/kernel", "block/kernel", "block/bias"]
    first = [generator.normal(size=4).astype("float32") for _ in names]
    variables = [keras.Variable(value, name=name.rpartition("/")[2])
                 for name, value in zip(names, first, strict=True)]  # fmt: skip
    optimizer = AdamW(1.0, weight_decay=decay)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    scale_rates(optimizer, factors)
    optimizer.build(variables)
    by_hand = [value.astype(np.float64) for value in first]
    means, squares = ([np.zeros(4) for _ in names] for _ in range(2))
    for step, rate in enumerate(rates, 1):
        optimizer.learning_rate = rate
        gradients = [generator.normal(size=4).astype("float32") for _ in names]
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients], variables)
        for n, gradient in enumerate(gradients):
            if "bias" not in names[n]:
                by_hand[n] *= 1 - rate * factors[n] * decay
            means[n] = 0.9 * means[n] + 0.1 * gradient
            squares[n] = 0.999 * squares[n] + 0.001 * gradient**2.0
            mean, square = means[n] / (1 - 0.9**step), squares[n] / (1 - 0.999**step)
            by_hand[n] -= rate * factors[n] * mean / (np.sqrt(square) + 1e-7)
    for variable, expected in zip(variables, by_hand, strict=True):
        np.testing.assert_allclose(variable, expected, rtol=1e-4, atol=1e-5)


def test_a_rate_of_zero_is_possible_and_one_changes_nothing():
    variable, plain = (keras.Variable(np.ones(2, "float32")) for _ in range(2))
    one, two = keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1)
    scale_rates(one, [1.0])
    for optimizer, target in ((one, variable), (two, plain)):
        optimizer.build([target])
        optimizer.apply([keras.ops.ones(2)], [target])
    np.testing.assert_array_equal(variable, plain)
    assert float(variable[0]) == pytest.approx(0.9)

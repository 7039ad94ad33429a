"""Schedules against their formulas, optimisers against Keras, the weight average by hand."""

import math

import keras
import numpy as np
import pytest

from shared.common.config import OptimizationConfig
from shared.engine.training.optimizer import WarmupSchedule, build_optimizer
from shared.engine.training.weight_average import WeightAverage


def by_hand(kind, step, peak=0.5, total=100, warm=10, final=0.1):
    if step < warm:
        return peak * (step + 1) / warm
    part = (step - warm) / (total - warm)
    return (
        peak
        * {
            "constant": 1.0,
            "linear": 1 - 0.9 * part,
            "cosine": final + (1 - final) * (1 + math.cos(math.pi * part)) / 2,
            "late_linear": 1.0 if part < 0.5 else 1 - 0.9 * (part - 0.5) / 0.5,
            "step": 1.0 if part < 0.5 else 0.1 if part < 0.75 else 0.01,
            "noam": min((step + 1) ** -0.5, (step + 1) * warm**-1.5) * warm**0.5,
        }[kind]
    )


@pytest.mark.parametrize("kind", ["constant", "linear", "late_linear", "cosine", "step", "noam"])
def test_schedule_follows_its_formula(kind):
    schedule = WarmupSchedule(0.5, 100, 10, kind, 0.1)
    for step in range(100):
        assert float(schedule(step)) == pytest.approx(by_hand(kind, step), rel=1e-5), step


def test_schedule_survives_saving():
    schedule = WarmupSchedule(0.5, 100, 10, "linear", 0.1)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert float(again(42)) == float(schedule(42))


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "Lamb", "RMSprop"])
def test_variables_have_the_names_of_keras(name):
    """Checkpoints know them by these; a GAN has two optimisers, whose names are counted."""
    options = {"momentum": 0.9} if name in ("SGD", "RMSprop") else {}
    config, rate = OptimizationConfig(optimizer=name.lower()), WarmupSchedule(0.1, 10)
    theirs = paths_of(lambda: getattr(keras.optimizers, name)(rate, **options))
    assert paths_of(lambda: build_optimizer(config, 0.1, 10)) == theirs


def paths_of(make):
    """Of the variables of two optimisers, the first that there are."""
    keras.utils.clear_session()
    optimizers = [make(), make()]
    for optimizer in optimizers:
        optimizer.build([keras.Variable(np.zeros(2), name="kernel")])
    return [variable.path for optimizer in optimizers for variable in optimizer.variables]


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "rmsprop"])
def test_weight_decay_spares_biases(name):
    """With a gradient of zero only the decay moves a weight, and only that of kernels."""
    layer = keras.layers.Dense(3)
    layer.build((None, 2))
    layer.bias.assign(np.ones(3))
    config = OptimizationConfig(optimizer=name, weight_decay=0.1, warmup=0.0, schedule="constant")
    optimizer = build_optimizer(config, 0.5, 10)
    before = [np.asarray(weight) for weight in layer.trainable_variables]
    zeros = [np.zeros(weight.shape, "float32") for weight in layer.trainable_variables]
    optimizer.apply(zeros, layer.trainable_variables)
    np.testing.assert_allclose(np.asarray(layer.kernel), before[0] * (1 - 0.05), rtol=1e-5)
    np.testing.assert_array_equal(np.asarray(layer.bias), before[1])


def test_weight_average_equals_the_recursion():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    average = WeightAverage(model, 0.8)
    expected = np.asarray(model.layers[0].kernel)
    generator = np.random.default_rng(1)
    for count in range(12):
        value = generator.normal(size=(2, 1)).astype("float32")
        model.layers[0].kernel.assign(value)
        average.update()
        decay = min(0.8, (1 + count) / (10 + count))
        expected = decay * expected + (1 - decay) * value
    with average.applied():
        np.testing.assert_allclose(np.asarray(model.layers[0].kernel), expected, rtol=1e-5)
    np.testing.assert_array_equal(np.asarray(model.layers[0].kernel), value)

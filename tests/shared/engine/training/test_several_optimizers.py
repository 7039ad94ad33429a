"""A model with two networks and an optimiser for each, as a GAN has them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from shared.engine.training.checkpoint import training_variables
from shared.engine.training.train_step import apply_gradients, build_train_step, prepare_optimizer


class Pair(keras.Model):
    """`first` learns y = 2x, `second` learns what `first` says; each by its own optimiser."""

    def __init__(self):
        super().__init__()
        self.first = keras.layers.Dense(1)
        self.second = keras.layers.Dense(1)
        self.build((None, 1))
        self.optimizers = {name: keras.optimizers.Adam(0.05) for name in ("first", "second")}

    def build(self, shape):
        self.first.build(shape)
        self.second.build(shape)
        self.built = True

    def call(self, x):
        return self.second(x)

    def variables_of(self, name):
        return getattr(self, name).trainable_variables

    def replica_step(self, batch):
        x, y = batch
        rows = tf.cast(tf.shape(x)[0], tf.float32)
        total = tf.distribute.get_replica_context().all_reduce("SUM", rows)
        with tf.GradientTape(persistent=True) as tape:
            said = self.first(x)
            losses = {
                "first": tf.reduce_sum(tf.square(tf.cast(said, tf.float32) - y)) / total,
                "second": tf.reduce_sum(
                    tf.square(tf.cast(self.second(x) - tf.stop_gradient(said), tf.float32))
                )
                / total,
            }
            scaled = {name: self.optimizers[name].scale_loss(loss) for name, loss in losses.items()}
        for name, optimizer in self.optimizers.items():
            variables = self.variables_of(name)
            gradients = tape.gradient(scaled[name], [v.value for v in variables])
            apply_gradients(optimizer, gradients, variables, clip_norm=1.0)
        return {name: (loss * total, rows) for name, loss in losses.items()}


def trained(strategy, precision, steps=200):
    keras.config.set_dtype_policy(precision)
    keras.utils.set_random_seed(1)
    x = np.random.default_rng(0).normal(size=(8, 1)).astype("float32")
    with strategy.scope():
        model = Pair()
        prepare_optimizer(model)
        step = build_train_step(model, strategy, None)
    for _ in range(steps):
        means = step((tf.constant(x), tf.constant(2 * x)))
    return model, {name: float(value) / float(count) for name, (value, count) in means.items()}


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_both_learn_and_stay_finite(precision):
    model, losses = trained(tf.distribute.get_strategy(), precision)
    assert all(np.isfinite(weight).all() for weight in map(np.asarray, model.weights))
    assert losses["first"] < 0.05
    assert losses["second"] < 0.05


def test_all_optimizers_scale_under_float16():
    model, _ = trained(tf.distribute.get_strategy(), "mixed_float16", steps=1)
    kinds = {type(optimizer) for optimizer in model.optimizers.values()}
    assert kinds == {keras.optimizers.LossScaleOptimizer}


def test_checkpoints_hold_every_optimizer():
    model, _ = trained(tf.distribute.get_strategy(), "float32", steps=1)
    groups = {name.partition("/")[0] for name in training_variables(model)}
    assert groups == {"model", "first", "second"}


def test_a_huge_loss_does_not_destroy_the_weights():
    """Under float16 the scale falls until the gradients are finite again."""
    keras.config.set_dtype_policy("mixed_float16")
    model = Pair()
    prepare_optimizer(model)
    step = build_train_step(model, tf.distribute.get_strategy(), None)
    x = tf.fill([8, 1], 100.0)
    for _ in range(30):
        step((x, 2 * x))
    assert all(np.isfinite(weight).all() for weight in map(np.asarray, model.weights))

"""A regression on generated numbers: the smallest application that uses the whole loop."""

from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from shared.common import stream
from shared.common.config import RunConfig, config_class, option
from shared.engine.app import App, Evaluator
from shared.engine.training.optimizer import build_optimizer


@config_class
class ToyConfig(RunConfig):
    task: ClassVar[str] = "toy"
    presets: ClassVar[dict] = {"test": {"epochs": 3, "batch_size": 8}}

    examples: int = option(30, "Number of training examples.", ge=1)
    hidden: int = option(6, "Hidden units.", ge=1)
    dropout: float = option(0.0, "Dropout.", ge=0, lt=1)
    batch_norm: bool = option(False, "Use batch normalisation.")
    explode_at: int = option(-1, "Step whose target is infinite.")


@keras.saving.register_keras_serializable(package="kerasuite_tests")
class ToyModel(keras.Model):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return keras.ops.mean(keras.ops.square(y - y_pred))

    def batch_metrics(self, x, y, y_pred, sample_weight=None):
        return {"mae": keras.ops.mean(keras.ops.abs(y - y_pred))}


class MeanSquare(Evaluator):
    def __init__(self):
        self.errors = []

    def update(self, batch, outputs):
        self.errors.append(np.square(batch[1] - outputs))

    def result(self):
        return {"mse": float(np.mean(np.concatenate(self.errors)))}


class ToyApp(App):
    name = "toy"
    config_class = ToyConfig
    monitor = ("val_mse", "min")

    def prepare(self, run):
        generator = np.random.default_rng(5)
        self.x = generator.normal(size=(run.config.examples, 4)).astype("float32")
        self.y = (self.x[:, :1] * 2 - self.x[:, 1:2] * self.x[:, 2:3]).astype("float32")
        run.artifacts["examples"] = run.config.examples

    def steps_per_epoch(self, run):
        return stream.steps_per_epoch(len(self.x), run.config.batch_size)

    def dataset(self, run, split, start_step=0):
        batch = run.config.batch_size
        if split != "train":
            indices = stream.evaluation_examples(len(self.x), batch, run.worker)
            return indices.map(lambda i: (tf.gather(self.x, i), tf.gather(self.y, i))).batch(batch)
        x, y = tf.constant(self.x), tf.constant(self.y)

        def load(indices, seeds, steps):
            noise = tf.random.stateless_normal([tf.shape(indices)[0], 4], seeds[0]) * 0.01
            target = tf.gather(y, indices)
            bad = tf.equal(steps[0], run.config.explode_at)
            return tf.gather(x, indices) + noise, tf.where(bad, target / 0.0, target)

        return stream.training_steps(
            len(self.x), batch, run.config.seed, start_step, run.worker
        ).map(load)

    def build(self, run):
        config = run.config
        inputs = keras.Input((4,))
        x = keras.layers.Dense(config.hidden, activation="tanh")(inputs)
        if config.batch_norm:
            synchronized = run.strategy.num_replicas_in_sync > 1
            x = keras.layers.BatchNormalization(synchronized=synchronized)(x)
        x = keras.layers.Dropout(config.dropout)(x)
        model = ToyModel(inputs, keras.layers.Dense(1, dtype="float32")(x))
        steps = max(run.total_steps, 1)
        model.compile(build_optimizer(config.optimization, config.learning_rate, steps))
        return model

    def evaluator(self, run):
        return MeanSquare()

    def serving(self, run, model):
        return {}

    def predictor(self, saved_model, **options):
        raise AssertionError("the toy predicts nothing")

    def check(self, config):
        return [], []

    def replace_validation_data(self, run, data):
        raise AssertionError("the toy has no other data")

"""Exponential moving average of the weights, right under every strategy."""

import contextlib
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf


class WeightAverage:
    """Keeps averages of all floating-point weights of a model, or of its `averaged_weights`.

    Moving statistics of normalisation layers are averaged too, so that the averaged model is
    consistent. The decay is warmed up, so that the first steps do not weigh too much.

    Args:
        model: a built Keras model.
        decay: float in (0, 1).

    Reference: [Polyak and Juditsky, 1992](https://doi.org/10.1137/0330046); warm-up as in
    `tf.train.ExponentialMovingAverage`.
    """

    def __init__(self, model: keras.Model, decay: float):
        self.decay = decay
        weights = model.averaged_weights() if hasattr(model, "averaged_weights") else model.weights
        self.sources = [v for v in weights if "float" in str(v.dtype)]
        self.averages = [
            keras.Variable(v, trainable=False, dtype=v.dtype, name=f"average_{index}")
            for index, v in enumerate(self.sources)
        ]
        self.count = keras.Variable(0, trainable=False, dtype="int64", name="average_count")

    @property
    def variables(self) -> list[keras.Variable]:
        """The averages and their step count, for checkpoints."""
        return [self.count, *self.averages]

    def update(self) -> None:
        """Moves the averages towards the current weights; called once per step, in a graph."""
        # Copy by copy of each device: `extended.update` fails with several workers.
        local = tf.distribute.get_strategy().experimental_local_results
        count = tf.cast(self.count.value, tf.float32)
        rest = 1.0 - tf.minimum(self.decay, (1.0 + count) / (10.0 + count))
        # Once for all weights of a type: each further operation is traced for each weight.
        rests = {a.dtype: tf.cast(rest, a.dtype) for a in self.averages}
        for averages, sources in zip(self.averages, self.sources, strict=True):
            pairs = zip(local(averages.value), local(sources.value), strict=True)
            for average, source in pairs:
                with tf.device(average.device):
                    average.assign_add(rests[averages.dtype] * (source - average))
        self.count.assign_add(1)

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Puts the averages into the model for the length of a `with` block."""
        kept = [np.array(v) for v in self.sources]
        for source, average in zip(self.sources, self.averages, strict=True):
            source.assign(np.array(average))
        try:
            yield
        finally:
            for source, value in zip(self.sources, kept, strict=True):
                source.assign(value)

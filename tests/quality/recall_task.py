"""The recall task: which letter stood there, a given number of letters ago?

A text begins with one of `LETTERS` letters; letters of another alphabet follow, which mean nothing;
behind them the network has to name the first. The gradient has to travel all the way back.
"""

import keras
import numpy as np
import tensorflow as tf

from shared.layers import RecurrentStack

LETTERS, ROWS, STEPS, TESTED = 8, 64, 400, 1024


class RecallTask:
    """A network of one cell, trained anew for each gap.

    Args:
        cell: str. "rnn", "lstm" or "gru".
        hidden_dim: int. Width of the layer and of the embedding.
    """

    def __init__(self, cell: str, hidden_dim: int):
        keras.utils.set_random_seed(1)
        self.embedding = keras.layers.Embedding(2 * LETTERS, hidden_dim)
        self.stack = RecurrentStack(hidden_dim, 1, cell)
        self.output = keras.layers.Dense(LETTERS)
        self.optimizer = keras.optimizers.Adam(2e-3, global_clipnorm=1.0)
        self._logits(tf.zeros([1, 2], tf.int32))
        layers = (self.embedding, self.stack, self.output)
        self._weights = [weight for layer in layers for weight in layer.trainable_weights]
        self.optimizer.build(self._weights)
        variables = [*self._weights, *self.optimizer.variables]
        self._initial = [(variable, variable.numpy()) for variable in variables]

    def accuracy(self, gap: int) -> float:
        """Share of letters that are recalled over a gap, once it was trained on that gap."""
        for variable, value in self._initial:
            variable.assign(value)
        generator = np.random.default_rng(gap)
        for _ in range(STEPS):
            self._train(_texts(generator, ROWS, gap))
        texts = _texts(generator, TESTED, gap)
        found = tf.argmax(self._compiled_logits(texts), axis=-1, output_type=tf.int32)
        return float(tf.reduce_mean(tf.cast(found == texts[:, 0], tf.float32)))

    def _logits(self, texts):
        outputs, _ = self.stack(self.embedding(texts), training=True)
        return self.output(outputs[:, -1])

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32)])
    def _compiled_logits(self, texts):
        return self._logits(texts)

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32)])
    def _train(self, texts):
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                texts[:, 0], self._logits(texts)
            )
            loss = tf.reduce_mean(losses)
        self.optimizer.apply(tape.gradient(loss, [w.value for w in self._weights]), self._weights)


def _texts(generator: np.random.Generator, rows: int, gap: int) -> tf.Tensor:
    """Texts int32 (rows, 1 + gap): a letter, and `gap` others that mean nothing."""
    first = generator.integers(LETTERS, size=(rows, 1))
    others = generator.integers(LETTERS, 2 * LETTERS, (rows, gap))
    return tf.constant(np.concatenate([first, others], axis=1), tf.int32)

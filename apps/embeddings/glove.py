"""GloVe: word vectors whose inner products are the logarithms of co-occurrence counts.

The C program visits one cell after the other. Here a micro-step takes a tile, all cells of a block
of rows and a block of columns: the inner products of all its pairs are one matrix product, the
gradients two more, and every vector is read and written once for all cells of its row. Where the
tile has no cell the products are computed for nothing, which is still cheaper than to gather two
vectors for every cell.
"""

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from apps.embeddings.cell_file import CELL, LONGEST_BLOCK


class SideRows(NamedTuple):
    """Some rows of one side, or their gradients: int32 (n,), float32 (n, D) and float32 (n,)."""

    rows: tf.Tensor
    vectors: tf.Tensor
    biases: tf.Tensor


@keras.saving.register_keras_serializable(package="kerasuite")
class GloVe(keras.Model):
    """Minimises sum over the cells of f(x) (w . w~ + b + b~ - log x)^2 / 2 by AdaGrad.

    f(x) = min(1, (x / x_max)^alpha) weighs rare pairs down. AdaGrad divides the learning rate
    by the root of the sum of squared gradients, element by element; the sums start at 1. A
    gradient is that of a whole tile where the C program takes a single cell, so a rate near
    0.3 takes the place of its 0.05.

    Args:
        vocabulary_size: int. Number of words V.
        dim: int. Size D of a vector.
        x_max: float. Count from which a cell has full weight.
        alpha: float. Exponent of the weight.

    Call arguments:
        inputs: int tensor of any shape, words.

    Returns:
        float32 tensor (..., D), w + w~ of the words.

    Reference: [Pennington et al., 2014](https://aclanthology.org/D14-1162/);
    [Duchi et al., 2011](https://jmlr.org/papers/v12/duchi11a.html) for AdaGrad
    """

    def __init__(self, vocabulary_size, dim=100, x_max=100.0, alpha=0.75, **kwargs):
        # Half precision would lose most updates, which are far smaller than the vectors.
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.vocabulary_size = vocabulary_size
        self.dim = dim
        self.x_max = x_max
        self.alpha = alpha
        self.build()

    def build(self, input_shape=None):
        if not self.built:
            self.word_side = self._side("word")
            self.context_side = self._side("context")
            self.built = True

    def _side(self, name: str) -> dict[str, keras.Variable]:
        """Vectors, biases and the sums of their squared gradients."""
        bound = 0.5 / self.dim
        uniform = keras.initializers.RandomUniform(-bound, bound)
        shapes = {"vectors": (self.vocabulary_size, self.dim), "biases": (self.vocabulary_size,)}
        side = {}
        for part, shape in shapes.items():
            for what, start in ((part, uniform), (f"{part}_squares", "ones")):
                side[what] = self.add_weight(
                    name=f"{name}_{what}",
                    shape=shape,
                    initializer=start,
                    trainable=what == part,
                    # Every replica applies the same updates.
                    aggregation="only_first_replica",
                )
        return side

    def call(self, inputs):
        sides = (self.word_side, self.context_side)
        return sum(keras.ops.take(side["vectors"], inputs, axis=0) for side in sides)

    def vectors(self) -> np.ndarray:
        """w + w~ of all words, float32 (V, D)."""
        return np.asarray(self(np.arange(self.vocabulary_size)))

    def replica_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
        """Trains on this replica's lanes of a step.

        The lanes of a micro-step share no row, so that the result does not depend on which
        replica has which. Micro-steps are unrolled, because tf.distribute cannot exchange values
        inside a loop of the graph.

        Args:
            batch: "blocks" int32 (L, M, 4) and "cells" string (L, M), see `cell_stream`.

        Returns:
            "loss": the sum of f(x) (w . w~ + b + b~ - log x)^2 / 2 and the number of cells.
        """
        rate = tf.cast(self.optimizer.learning_rate, tf.float32)
        lanes, micro_steps = batch["cells"].shape
        loss, count = tf.constant(0.0), tf.constant(0.0)
        for step in range(micro_steps):
            tiles = [
                self._tile(batch["blocks"][lane, step], batch["cells"][lane, step])
                for lane in range(lanes)
            ]
            for side, found in ((self.word_side, 0), (self.context_side, 1)):
                self._apply(side, _joined([tile[found] for tile in tiles]), rate)
            loss += tf.add_n([tile[2] for tile in tiles])
            count += tf.add_n([tile[3] for tile in tiles])
        self.optimizer.iterations.assign_add(1)
        return {"loss": (loss, count)}

    def _tile(self, block: tf.Tensor, data: tf.Tensor):
        """Gradients of the word side and the context side, loss and number of cells of a tile."""
        first_row, num_rows, first_column, num_columns = tf.unstack(block)
        rows = tf.range(first_row, first_row + num_rows)
        columns = tf.range(first_column, first_column + num_columns)
        cells = tf.reshape(tf.io.decode_raw(data, tf.int32), [-1, CELL.itemsize // 4])
        place = (cells[:, 0] - first_row) * num_columns + cells[:, 1] - first_column
        values = tf.bitcast(cells[:, 2], tf.float32)

        # [w, b, 1] . [w~, 1, b~] is w . w~ + b + b~, and its gradients hold those of the biases.
        words, contexts = _read(self.word_side, rows), _read(self.context_side, columns)
        left = tf.concat([words.vectors, words.biases[:, None], tf.ones([num_rows, 1])], 1)
        right = tf.concat(
            [contexts.vectors, tf.ones([num_columns, 1]), contexts.biases[:, None]], 1
        )
        scores = tf.reshape(tf.matmul(left, right, transpose_b=True), [-1])
        errors = tf.gather(scores, place) - tf.math.log(values)
        slopes = tf.minimum(1.0, (values / self.x_max) ** self.alpha) * errors
        dense = tf.scatter_nd(place[:, None], slopes, [num_rows * num_columns])
        dense = tf.reshape(dense, [num_rows, num_columns])
        for_words = tf.matmul(dense, right)
        for_contexts = tf.matmul(dense, left, transpose_a=True)
        return (
            SideRows(rows, for_words[:, : self.dim], for_words[:, self.dim]),
            SideRows(columns, for_contexts[:, : self.dim], for_contexts[:, self.dim + 1]),
            tf.reduce_sum(slopes * errors) / 2,
            tf.cast(tf.size(values), tf.float32),
        )

    def _apply(self, side: dict, gradients: SideRows, rate: tf.Tensor) -> None:
        """AdaGrad on the given rows, of which no two are equal."""
        for part in ("vectors", "biases"):
            gradient = getattr(gradients, part)
            squares = side[f"{part}_squares"]
            _add_rows(squares, gradients.rows, tf.square(gradient))
            scale = tf.math.rsqrt(_gather_rows(squares, gradients.rows))
            _add_rows(side[part], gradients.rows, -rate * scale * gradient)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "dim": self.dim,
            "x_max": self.x_max,
            "alpha": self.alpha,
        }


def _read(side: dict, rows: tf.Tensor) -> SideRows:
    return SideRows(rows, _gather_rows(side["vectors"], rows), _gather_rows(side["biases"], rows))


def _joined(parts: list[SideRows]) -> SideRows:
    """The gradients of all lanes of all replicas."""
    joined = SideRows(*(tf.concat(values, 0) for values in zip(*parts, strict=True)))
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return joined
    most = len(parts) * LONGEST_BLOCK
    return SideRows(*(context.all_gather(_padded(value, most), axis=0) for value in joined))


def _padded(value: tf.Tensor, rows: int) -> tf.Tensor:
    """Adds zeros, which change nothing as gradients, up to a static number of rows.

    In a trial with TensorFlow 2.21 and two logical CPU devices, `all_gather` of unequal numbers
    of rows crashed. The cause is not known, nor whether other devices are affected.
    """
    missing = [[0, rows - tf.shape(value)[0]]] + [[0, 0]] * (value.shape.rank - 1)
    return tf.ensure_shape(tf.pad(value, missing), [rows, *value.shape[1:]])


def _gather_rows(variable: keras.Variable, rows: tf.Tensor) -> tf.Tensor:
    # Of the variable itself: reading it as a tensor would copy the whole table.
    return tf.raw_ops.ResourceGather(resource=variable.value.handle, indices=rows, dtype=tf.float32)


def _add_rows(variable: keras.Variable, rows: tf.Tensor, values: tf.Tensor) -> None:
    tf.raw_ops.ResourceScatterAdd(resource=variable.value.handle, indices=rows, updates=values)

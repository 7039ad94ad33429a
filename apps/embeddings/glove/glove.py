"""GloVe: word vectors whose inner products are the logarithms of co-occurrence counts.

The C program visits one cell after the other. Here a micro-step takes a tile, all cells of a block
of rows and a block of columns: the inner products of all its pairs are one matrix product, the
gradients two more, and every vector is read and written once for all cells of its row. Where a
tile has no cell the products are computed for nothing, which is still cheaper than to gather two
vectors for every cell, unless there are hardly any (`DENSE`).

All cells of a tile see the vectors as they were before it, whereas in the C program each sees what
the one before it has changed: a hundred frequent words, all of which find a vector too short,
lengthen it until it fits. The sum of their gradients would overshoot, so `steps_in_a_row` shortens
it to what they would do one after the other.
"""

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from apps.embeddings.glove.cell_file import CELL, MAX_BLOCK

# Share of a tile's pairs that are cells, from which products of matrices are the faster way.
DENSE = 1 / 128
# Curvatures per cell outside these bounds divide by zero, or are beyond a stable step.
LEAST, MOST = 1e-6, 1 - 1e-6


class SideRows(NamedTuple):
    """Neighbouring rows of one side, or what is added to them.

    Attributes:
        rows: int32 (n,).
        vectors: float32 (n, D + 1). The last element is the bias.
        squares: float32 (n, D + 1). Sums of squared gradients.
    """

    rows: tf.Tensor
    vectors: tf.Tensor
    squares: tf.Tensor


class Cells(NamedTuple):
    """The cells of a tile as one of its sides sees them.

    Attributes:
        own: int32 (N,). Each cell's row among those of this side.
        other: int32 (N,). Its row among those of the other side.
        weights: float32 (N,). f(x).
        slopes: float32 (N,). f(x) (w . w~ + b + b~ - log x).
        tile: float32 (R, C). The slopes, zero where no cell is.
        turned: bool. Whether this side's rows are the columns of `tile`.
        is_dense: bool scalar tensor. Whether `tile` is there; otherwise it is empty.
    """

    own: tf.Tensor
    other: tf.Tensor
    weights: tf.Tensor
    slopes: tf.Tensor
    tile: tf.Tensor
    turned: bool
    is_dense: tf.Tensor


@keras.saving.register_keras_serializable(package="kerasuite")
class GloVe(keras.Model):
    """Minimises sum over the cells of f(x) (w . w~ + b + b~ - log x)^2 / 2 by AdaGrad.

    f(x) = min(1, (x / x_max)^alpha) weighs rare pairs down. AdaGrad divides the learning rate
    by the root of the sum of squared gradients, element by element. As in the C program the sums
    start at 1, gradients are those of single cells, and they are squared after the learning rate
    is multiplied in: only the most frequent words are slowed.

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
        """Vectors with their biases at the end, and the sums of their squared gradients."""
        bound = 0.5 / self.dim
        starts = {"vectors": keras.initializers.RandomUniform(-bound, bound), "squares": "ones"}
        return {
            part: self.add_weight(
                name=f"{name}_{part}",
                shape=(self.vocabulary_size, self.dim + 1),
                initializer=start,
                trainable=part == "vectors",
                # Every replica applies the same updates.
                aggregation="only_first_replica",
            )
            for part, start in starts.items()
        }

    def call(self, inputs):
        sides = (self.word_side, self.context_side)
        found = sum(keras.ops.take(side["vectors"], inputs, axis=0) for side in sides)
        return found[..., : self.dim]

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
                self._tile(batch["blocks"][lane, step], batch["cells"][lane, step], rate)
                for lane in range(lanes)
            ]
            for side, found in ((self.word_side, 0), (self.context_side, 1)):
                changes = _joined([tile[found] for tile in tiles])
                _add_rows(side["vectors"], changes.rows, changes.vectors)
                _add_rows(side["squares"], changes.rows, changes.squares)
            loss += tf.add_n([tile[2] for tile in tiles])
            count += tf.add_n([tile[3] for tile in tiles])
        self.optimizer.iterations.assign_add(1)
        return {"loss": (loss, count)}

    def _tile(self, block: tf.Tensor, data: tf.Tensor, rate: tf.Tensor):
        """See `train_tile`."""
        first_row, num_rows, first_column, num_columns = tf.unstack(block)
        return train_tile(
            _read(self.word_side, first_row, num_rows),
            _read(self.context_side, first_column, num_columns),
            block,
            data,
            rate,
            self.x_max,
            self.alpha,
        )

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "dim": self.dim,
            "x_max": self.x_max,
            "alpha": self.alpha,
        }


# A function of tensors alone, so that it is traced once and not for each tile of a step.
@tf.function(autograph=False, reduce_retracing=True)
def train_tile(
    words: SideRows,
    contexts: SideRows,
    block: tf.Tensor,
    data: tf.Tensor,
    rate: tf.Tensor,
    x_max: float,
    alpha: float,
) -> tuple[SideRows, SideRows, tf.Tensor, tf.Tensor]:
    """What a tile adds to the word side and the context side, its loss and number of cells.

    Args:
        words: the rows of the tile.
        contexts: its columns.
        block: int32 (4,). First row, number of rows, first column, number of columns.
        data: string. The tile's cells.
        rate: float32. Learning rate.
        x_max: see `GloVe`.
        alpha: see `GloVe`.
    """
    first_row, num_rows, first_column, num_columns = tf.unstack(block)
    cells = tf.reshape(tf.io.decode_raw(data, tf.int32), [-1, CELL.itemsize // 4])
    row, column = cells[:, 0] - first_row, cells[:, 1] - first_column
    values = tf.bitcast(cells[:, 2], tf.float32)

    (w, b), (w_, b_) = ((side.vectors[:, :-1], side.vectors[:, -1]) for side in (words, contexts))
    place = row * num_columns + column
    is_dense = tf.cast(tf.size(values), tf.float32) >= DENSE * tf.cast(
        num_rows * num_columns, tf.float32
    )
    products = tf.cond(
        is_dense,
        lambda: tf.gather(tf.reshape(tf.matmul(w, w_, transpose_b=True), [-1]), place),
        lambda: tf.reduce_sum(tf.gather(w, row) * tf.gather(w_, column), 1),
    )
    errors = products + tf.gather(b, row) + tf.gather(b_, column) - tf.math.log(values)
    weights = tf.minimum(1.0, (values / x_max) ** alpha)
    slopes = weights * errors
    shape = tf.where(is_dense, [num_rows, num_columns], 0)
    tile = tf.cond(
        is_dense,
        lambda: tf.scatter_nd(place[:, None], slopes, [num_rows * num_columns]),
        lambda: tf.zeros([0]),
    )
    tile = tf.reshape(tile, shape)
    seen = weights, slopes, tile
    return (
        _change(words, contexts, Cells(row, column, *seen, False, is_dense), rate),
        _change(contexts, words, Cells(column, row, *seen, True, is_dense), rate),
        tf.reduce_sum(slopes * errors) / 2,
        tf.cast(tf.size(values), tf.float32),
    )


def _change(own: SideRows, other: SideRows, cells: Cells, rate: tf.Tensor) -> SideRows:
    """What the cells of a tile add to one of its sides.

    A cell pulls its row along the other side's [vector, 1]. These have much in common: along
    their mean the cells of a row repeat each other, across it hardly. Both parts of the
    gradient are therefore shortened separately, by their curvature along and half of that across:
    pulls that differ from each other do not all repeat what the ones before have done.

    As in the C program squares count from the next visit on. Those of a row are approximated by
    its squared slopes times the mean squares of the tile's pulls, in place of two more products
    of matrices: only the sums of the most frequent words ever leave the neighbourhood of 1.
    """
    ones = tf.ones_like(other.vectors[:, :1])
    pulls = tf.concat([other.vectors[:, :-1], ones], 1)
    mass = tf.math.unsorted_segment_sum(cells.weights, cells.other, tf.shape(pulls)[0])
    mean = tf.math.l2_normalize(tf.linalg.matvec(pulls, mass, transpose_a=True))
    squares = tf.square(pulls)
    mean_squares = tf.linalg.matvec(squares, mass, transpose_a=True)
    mean_squares = tf.math.divide_no_nan(mean_squares, mean_squares[-1])
    along = tf.square(tf.linalg.matvec(pulls, mean))
    across = tf.nn.relu(tf.reduce_sum(squares, 1) - along)

    curvatures = tf.gather(tf.stack([along, across / 2], 1), cells.other)
    of_cells = [
        rate * cells.weights[:, None] * curvatures,
        tf.square(rate * cells.slopes)[:, None],
        tf.ones_like(cells.slopes)[:, None],
    ]
    of_rows = tf.math.unsorted_segment_sum(tf.concat(of_cells, 1), cells.own, tf.shape(own.rows)[0])
    scale = tf.math.rsqrt(own.squares)
    curvatures = tf.reduce_mean(scale, 1, keepdims=True) * of_rows[:, :2]
    shares = steps_in_a_row(curvatures, count=of_rows[:, 3:])
    gradients = tf.cond(
        cells.is_dense,
        lambda: tf.matmul(cells.tile, pulls, transpose_a=cells.turned),
        lambda: tf.math.unsorted_segment_sum(
            cells.slopes[:, None] * tf.gather(pulls, cells.other), cells.own, tf.size(own.rows)
        ),
    )
    part = tf.linalg.matvec(gradients, mean)[:, None] * mean
    steps = rate * scale * (shares[:, :1] * part + shares[:, 1:] * (gradients - part))
    return SideRows(own.rows, -steps, of_rows[:, 2:3] * mean_squares)


def steps_in_a_row(curvature: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """How far `count` steps one after the other go, as a share of as many first steps.

    If every step takes the share h of what is still to go, n of them take 1 - (1 - h)^n of it.
    Made all at once they would take n h, which diverges above 2.

    Args:
        curvature: n h.
        count: n, 0 for rows without cells.
    """
    count = tf.maximum(count, 1.0)
    each = tf.clip_by_value(curvature / count, LEAST, MOST)
    return -tf.math.expm1(count * tf.math.log1p(-each)) / (count * each)


def _read(side: dict, first: tf.Tensor, count: tf.Tensor) -> SideRows:
    rows = tf.range(first, first + count)
    return SideRows(rows, _gather_rows(side["vectors"], rows), _gather_rows(side["squares"], rows))


def _joined(parts: list[SideRows]) -> SideRows:
    """The changes of all lanes of all replicas."""
    joined = SideRows(*(tf.concat(values, 0) for values in zip(*parts, strict=True)))
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return joined
    most = len(parts) * MAX_BLOCK
    return SideRows(*(context.all_gather(_padded(value, most), axis=0) for value in joined))


def _padded(value: tf.Tensor, rows: int) -> tf.Tensor:
    """Appends zeros, which add nothing to row 0, up to a static number of rows.

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

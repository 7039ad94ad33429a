"""GloVe: word vectors whose inner products are the logarithms of co-occurrence counts.

A micro-step trains on a tile, all co-occurrences of a block of words with a block of context
words, by products of matrices (`tile.py`). All its co-occurrences see the vectors as they were
before it; `sequential_steps.py` makes their sum what the steps of the C program add up to, one
co-occurrence after the other.
"""

from typing import NamedTuple

import keras
import tensorflow as tf

from apps.embeddings.glove.cooccurrence_file import MAX_BLOCK
from apps.embeddings.glove.sequential_steps import as_if_sequential
from apps.embeddings.glove.tile import read_tile
from apps.embeddings.glove.tile_errors import TileErrors, weigh_errors


class SideRows(NamedTuple):
    """Neighbouring rows of one side, or what is added to them.

    Attributes:
        rows: int32 (n,).
        vectors: float32 (n, D + 1). The last element is the bias.
        accumulators: float32 (n, D + 1). Sums of squared gradients.
    """

    rows: tf.Tensor
    vectors: tf.Tensor
    accumulators: tf.Tensor


@keras.saving.register_keras_serializable(package="kerasuite")
class GloVe(keras.Model):
    """Minimises the sum over the co-occurrences of f(x) (w . w~ + b + b~ - log x)^2 / 2.

    f(x) = min(1, (x / x_max)^alpha) weighs rare pairs down. AdaGrad divides the learning rate
    by the root of the sum of squared gradients, element by element. As in the C program the sums
    start at 1, gradients are those of single co-occurrences, and they are squared after the
    learning rate is multiplied in: only the most frequent words are slowed.

    Args:
        vocabulary_size: int. Number of words V.
        dim: int. Size D of a vector.
        x_max: float. Count from which a co-occurrence has full weight.
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
        """Vectors with their biases at the end, and the accumulators of AdaGrad."""
        bound = 0.5 / self.dim
        initializers = {
            "vectors": keras.initializers.RandomUniform(-bound, bound),
            "accumulators": "ones",
        }
        return {
            part: self.add_weight(
                name=f"{name}_{part}",
                shape=(self.vocabulary_size, self.dim + 1),
                initializer=initializer,
                trainable=part == "vectors",
                # Every replica applies the same updates.
                aggregation="only_first_replica",
            )
            for part, initializer in initializers.items()
        }

    def call(self, inputs):
        sides = (self.word_side, self.context_side)
        found = sum(keras.ops.take(side["vectors"], inputs, axis=0) for side in sides)
        return found[..., : self.dim]

    def replica_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
        """Trains on this replica's lanes of a step.

        The lanes of a micro-step share no row, so that the result does not depend on which
        replica has which. Micro-steps are unrolled, because tf.distribute cannot exchange values
        inside a loop of the graph.

        Args:
            batch: "blocks" int32 (L, M, 4) and "cooccurrences" ragged int32 (L, M, None, 3),
                see `cooccurrence_stream`.

        Returns:
            "loss": the sum of f(x) (w . w~ + b + b~ - log x)^2 / 2 and the number of
            co-occurrences.
        """
        rate = tf.cast(self.optimizer.learning_rate, tf.float32)
        lanes, micro_steps, _ = batch["blocks"].shape
        records = _split(batch["cooccurrences"], lanes * micro_steps)
        loss, count = tf.constant(0.0), tf.constant(0.0)
        for step in range(micro_steps):
            updates = [
                self._tile(batch["blocks"][lane, step], records[lane * micro_steps + step], rate)
                for lane in range(lanes)
            ]
            _add(self.word_side, _joined([update.words for update in updates]))
            _add(self.context_side, _joined([update.contexts for update in updates]))
            loss += tf.add_n([update.loss for update in updates])
            count += tf.add_n([update.count for update in updates])
        self.optimizer.iterations.assign_add(1)
        return {"loss": (loss, count)}

    def _tile(self, block: tf.Tensor, records: tf.Tensor, rate: tf.Tensor) -> "TileUpdate":
        """See `train_tile`."""
        first_row, num_rows, first_column, num_columns = tf.unstack(block)
        words = _read(self.word_side, first_row, num_rows)
        contexts = _read(self.context_side, first_column, num_columns)
        return train_tile(words, contexts, block, records, rate, self.x_max, self.alpha)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "dim": self.dim,
            "x_max": self.x_max,
            "alpha": self.alpha,
        }


class TileUpdate(NamedTuple):
    """Result of a tile.

    Attributes:
        words: what is added to the rows of the word side.
        contexts: what is added to the rows of the context side.
        loss: float32 scalar. Sum over the co-occurrences.
        count: float32 scalar. Number of co-occurrences.
    """

    words: SideRows
    contexts: SideRows
    loss: tf.Tensor
    count: tf.Tensor


# A function of tensors alone, so that it is traced once and not for each tile of a step.
@tf.function(autograph=False, reduce_retracing=True)
def train_tile(
    words: SideRows,
    contexts: SideRows,
    block: tf.Tensor,
    records: tf.Tensor,
    rate: tf.Tensor,
    x_max: float,
    alpha: float,
) -> TileUpdate:
    """Computes the updates of one tile.

    Args:
        words: the rows of the tile.
        contexts: its columns.
        block: int32 (4,). First row, number of rows, first column, number of columns.
        records: int32 (N, 3). The co-occurrences, see `read_tile`.
        rate: float32. Learning rate.
        x_max: see `GloVe`.
        alpha: see `GloVe`.
    """
    tile, x = read_tile(block, records)
    w, b = words.vectors[:, :-1], words.vectors[:, -1]
    w_, b_ = contexts.vectors[:, :-1], contexts.vectors[:, -1]

    biases = tf.gather(b, tile.rows) + tf.gather(b_, tile.columns)
    errors = tile.inner_products(w, w_) + biases - tf.math.log(x)
    weights = tf.minimum(1.0, (x / x_max) ** alpha)
    weighted_errors = weigh_errors(tile, weights, errors)
    return TileUpdate(
        _update(words, contexts, weighted_errors, rate),
        _update(contexts, words, weighted_errors.transpose(), rate),
        loss=tf.reduce_sum(weights * tf.square(errors)) / 2,
        count=tf.cast(tf.size(x), tf.float32),
    )


def _update(
    own: SideRows, other: SideRows, weighted_errors: TileErrors, rate: tf.Tensor
) -> SideRows:
    """A step of AdaGrad for one side of a tile.

    As in the C program squared gradients count from the next visit on.
    """
    # The derivative of an error by [w, b] is [w~, 1].
    partners = tf.concat([other.vectors[:, :-1], tf.ones_like(other.vectors[:, :1])], 1)
    gradient = weighted_errors.matrix.matmul(partners)
    rates = rate * tf.math.rsqrt(own.accumulators)
    gradient = as_if_sequential(gradient, rates, partners, weighted_errors)
    return SideRows(own.rows, -rates * gradient, _squares(partners, weighted_errors, rate))


def _squares(partners: tf.Tensor, weighted_errors: TileErrors, rate: tf.Tensor) -> tf.Tensor:
    """Sums of the squared gradients of single co-occurrences, float32 (R, D + 1), nearly.

    A row's squared errors are multiplied by the mean squares of the tile's partners, in place of
    two more products of matrices: only the accumulators of the most frequent words ever leave the
    neighbourhood of 1.
    """
    mass = weighted_errors.column_sums.weights
    # The last element of a partner is 1.
    squares = tf.linalg.matvec(tf.square(partners), mass, transpose_a=True)
    mean_squares = tf.math.divide_no_nan(squares, squares[-1])
    return tf.square(rate) * weighted_errors.row_sums.squared_errors[:, None] * mean_squares


def _split(records: tf.RaggedTensor, tiles: int) -> list[tf.Tensor]:
    """The records of each tile, lane by lane, in one operation."""
    return tf.split(records.flat_values, records.values.row_lengths(), num=tiles)


def _read(side: dict, first: tf.Tensor, count: tf.Tensor) -> SideRows:
    rows = tf.range(first, first + count)
    return SideRows(
        rows, _gather_rows(side["vectors"], rows), _gather_rows(side["accumulators"], rows)
    )


def _add(side: dict, update: SideRows) -> None:
    _add_rows(side["vectors"], update.rows, update.vectors)
    _add_rows(side["accumulators"], update.rows, update.accumulators)


def _joined(parts: list[SideRows]) -> SideRows:
    """The updates of all lanes of all replicas."""
    joined = SideRows(*(tf.concat(values, 0) for values in zip(*parts, strict=True)))
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return joined
    max_rows = len(parts) * MAX_BLOCK
    return SideRows(*(context.all_gather(_padded(value, max_rows), axis=0) for value in joined))


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

"""The training step that skip-gram and CBOW share: blocks of positions as matrix products.

word2vec is fast in C because it applies each small update at once. Here a micro-step computes the
updates of some thousand positions from the same tables and then adds them all, so that

    gather rows -> matrix products -> scatter-add rows

is all there is. A step of the training loop runs several micro-steps in one compiled loop; the
tables are updated in place, nothing of the size of the vocabulary is computed, and the optimiser
has no state but its step counter.

Reference: [Ji et al., 2016, Parallelizing Word2Vec in Shared and Distributed Memory]
(https://arxiv.org/abs/1604.04661), who let a window share its noise words; Gupta and Khare, 2017,
BlazingText: Scaling and Accelerating Word2Vec using Multiple GPUs.
"""

import abc
import functools
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from shared.engine.distribution.gpus import xla_knows_gpus

# Tables by name; a model has "input" and "output", both float32 with `dim` columns.
Tables = dict[str, tf.Tensor]

# Largest number of updates of one row within a micro-step, times the learning rate. With four times
# as many, CBOW with hierarchical softmax diverged on three million words.
MAX_ROW_UPDATE = 2.0

# The loss is only reported, and its logarithms would take a fifth of the time: it is the mean over
# the first of every eight positions.
LOSS_STRIDE = 8


class RowUpdates(NamedTuple):
    """Vectors to add to rows of one table: int32 (N,) and float32 (N, D)."""

    rows: tf.Tensor
    values: tf.Tensor


class MicroStep(NamedTuple):
    """Result of one micro-step.

    Attributes:
        updates: table name to its updates.
        loss: float scalar, the sum of the losses of some pairs.
        pairs: float scalar, the number of these pairs.
    """

    updates: dict[str, RowUpdates]
    loss: tf.Tensor
    pairs: tf.Tensor


class BlockModel(keras.Model, abc.ABC):
    """Base class of word2vec models, which are trained on blocks (see `window_blocks`).

    The input table has the vectors v of the paper, the output table its v'.

    Args:
        vocabulary_size: int. Number of words V.
        dim: int. Size D of a vector.
        window: int. Largest distance W of a context word.
        negatives: int. Noise words k for each pair.
        output_size: int. Rows of the output table, by default V.

    Call arguments:
        inputs: int tensor of any shape, words.

    Returns:
        float32 tensor (..., D), their vectors.

    Reference: [Mikolov et al., 2013](https://arxiv.org/abs/1310.4546)
    """

    def __init__(self, vocabulary_size, dim=100, window=5, negatives=5, output_size=None, **kwargs):
        # Half precision would lose most updates, which are far smaller than the vectors.
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.vocabulary_size = vocabulary_size
        self.dim = dim
        self.window = window
        self.negatives = negatives
        self.output_size = output_size
        self.expected_updates = None
        self.build()

    def build(self, input_shape=None):
        if self.built:
            return
        # As in gensim; the C program's is half of it.
        bound = 1 / self.dim
        # Every replica computes the same new table, so that any one of them is the result.
        self.input_table = self.add_weight(
            name="input",
            shape=(self.vocabulary_size, self.dim),
            initializer=keras.initializers.RandomUniform(-bound, bound),
            aggregation="only_first_replica",
        )
        self.output_table = self.add_weight(
            name="output",
            shape=(self.output_size or self.vocabulary_size, self.dim),
            initializer="zeros",
            aggregation="only_first_replica",
        )
        self.built = True

    def prepare_training(self, kept: np.ndarray, noise: np.ndarray, positions: int) -> None:
        """Computes the expected updates of each row in a micro-step, which bound its move.

        All updates of a row within a micro-step are computed from the same old row. In a small
        vocabulary a word may have hundreds of them, whose sum overshoots further every time. So
        the rows that expect more than `MAX_ROW_UPDATE` allows move by a share of their sum; they
        are the most trained ones anyway.

        Args:
            kept: float (V,). Share of each word among the positions after subsampling.
            noise: float (V,). Distribution of the noise words.
            positions: int. Positions of a micro-step, over all replicas.
        """
        updates = self.updates_per_position(kept, noise)
        self.expected_updates = {
            name: tf.constant(positions * value, tf.float32) for name, value in updates.items()
        }

    def call(self, inputs):
        return keras.ops.take(self.input_table, inputs, axis=0)

    @abc.abstractmethod
    def micro_step(self, tables: Tables, block: dict[str, tf.Tensor], rate: tf.Tensor) -> MicroStep:
        """Computes the updates of one block of every lane.

        Args:
            tables: the tables before the micro-step.
            block: tensors (L, ...) of `window_blocks`, without their axis of micro-steps.
            rate: float scalar. Learning rate.
        """

    @abc.abstractmethod
    def updates_per_position(self, kept: np.ndarray, noise: np.ndarray) -> dict[str, np.ndarray]:
        """Expected updates of each row of each table for one position.

        Args:
            kept: see `prepare_training`.
            noise: see `prepare_training`.

        Returns:
            Table name to float (rows,).
        """

    def replica_step(self, batch: dict[str, tf.Tensor]) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
        """Trains on this replica's lanes of a step.

        Args:
            batch: tensors of `window_blocks`.

        Returns:
            "loss": the loss and the number of pairs; "kept": the words trained on and the words
            read, whose quotient is the share that subsampling has kept.
        """
        rate = tf.cast(self.optimizer.learning_rate, tf.float32)
        alone = tf.distribute.get_replica_context().num_replicas_in_sync == 1
        loss, pairs = (self._compiled_step if alone else self._train_together)(batch, rate)
        self.optimizer.iterations.assign_add(1)
        kept = tf.math.count_nonzero(batch["left"] + batch["right"], dtype=tf.float32)
        read = tf.cast(tf.reduce_sum(batch["raw_words"]), tf.float32)
        return {"loss": (loss, pairs), "kept": (kept, read)}

    @functools.cached_property
    def _compiled_step(self) -> Callable:
        """`_train_alone`, compiled by XLA unless there is a GPU that it does not know."""
        return tf.function(self._train_alone, jit_compile=xla_knows_gpus() or None, autograph=False)

    def _train_alone(self, batch, rate):
        """All micro-steps in one loop; compiled by XLA, it updates the tables in place."""

        def body(index, tables, loss, pairs):
            result = self.micro_step(tables, _block(batch, index), rate)
            tables = self._add(tables, result.updates, rate)
            return index + 1, tables, loss + result.loss, pairs + result.pairs

        count = batch["micro_steps"][0]
        start = (0, self._read_tables(), tf.constant(0.0), tf.constant(0.0))
        _, tables, loss, pairs = tf.while_loop(lambda index, *_: index < count, body, start)
        self._write_tables(tables)
        return loss, pairs

    def _train_together(self, batch, rate):
        """The same on several replicas, which exchange their updates after every micro-step.

        Unrolled, because tf.distribute cannot exchange values inside a loop of the graph.
        """
        context = tf.distribute.get_replica_context()
        tables, losses, pairs = self._read_tables(), [], []
        for index in range(batch["words"].shape[1]):
            result = self.micro_step(tables, _block(batch, index), rate)
            updates = tf.nest.map_structure(lambda v: context.all_gather(v, axis=0), result.updates)
            tables = self._add(tables, updates, rate)
            losses.append(result.loss)
            pairs.append(result.pairs)
        self._write_tables(tables)
        return tf.add_n(losses), tf.add_n(pairs)

    def _add(self, tables: Tables, updates: dict[str, RowUpdates], rate: tf.Tensor) -> Tables:
        """Adds updates to rows; a row that is named several times gets all of them."""
        added = {}
        for name, (rows, values) in updates.items():
            if self.expected_updates is not None:
                share = tf.minimum(1.0, MAX_ROW_UPDATE / (rate * self.expected_updates[name]))
                values = values * tf.gather(share, rows)[:, None]
            added[name] = tf.tensor_scatter_nd_add(tables[name], rows[:, None], values)
        return added

    def _read_tables(self) -> Tables:
        return {
            "input": tf.convert_to_tensor(self.input_table),
            "output": tf.convert_to_tensor(self.output_table),
        }

    def _write_tables(self, tables: Tables) -> None:
        self.input_table.assign(tables["input"])
        self.output_table.assign(tables["output"])

    @property
    def context_words(self) -> float:
        """Mean number of context words of a position: the sizes 1 to W, on two sides."""
        return self.window + 1.0

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "dim": self.dim,
            "window": self.window,
            "negatives": self.negatives,
        }


def _block(batch, index):
    """Block number `index` of every lane."""
    names = ("words", "left", "right", "noise")
    return {name: batch[name][:, index] for name in names if name in batch}


def window_band(
    left: tf.Tensor, right: tf.Tensor, window: int, transposed: bool = False
) -> tf.Tensor:
    """The matrix of 0 and 1 that tells which words of a block are context of which position.

    Args:
        left: int32 (L, P). Number of context words before each position.
        right: int32 (L, P). Number of context words after it.
        window: int. Largest distance W of a context word.
        transposed: bool. Whether words are the rows. To build it a second time is faster than to
            multiply by a transposed matrix.

    Returns:
        float32 (L, P, P + 2 W), a band without its diagonal; or (L, P + 2 W, P).
    """
    positions = left.shape[1]
    # Position p is word p + W of its block.
    distance = np.arange(positions + 2 * window) - window - np.arange(positions)[:, None]
    distance, axis = (distance.T, 1) if transposed else (distance, 2)
    left, right = tf.expand_dims(left, axis), tf.expand_dims(right, axis)
    inside = (distance >= -left) & (distance <= right) & (distance != 0)
    return tf.cast(inside, tf.float32)


def sampling_gradient(scores: tf.Tensor, label: float, weight: tf.Tensor) -> tf.Tensor:
    """The gradient of negative sampling's objective by the scores v' . v.

    It is 1 - sigmoid(v' . v) for words of the text and -sigmoid(v' . v) for noise.

    Args:
        scores: float (...). Inner products of an input and an output vector.
        label: float. 1.0 for words of the text, 0.0 for noise.
        weight: float (...). Factor of each score in the objective.

    Returns:
        float (...).
    """
    return weight * (label - tf.sigmoid(scores))


def sampling_loss(scores: tf.Tensor, label: float, weight: tf.Tensor) -> tf.Tensor:
    """Minus the objective of `sampling_gradient`, at every `LOSS_STRIDE`-th position of axis 1.

    Args:
        scores: see `sampling_gradient`.
        label: see `sampling_gradient`.
        weight: see `sampling_gradient`.

    Returns:
        float scalar.
    """
    scores, weight = scores[:, ::LOSS_STRIDE], weight[:, ::LOSS_STRIDE]
    return tf.reduce_sum(weight * (tf.math.softplus(scores) - label * scores))


def flat_rows(*parts: tuple[tf.Tensor, tf.Tensor]) -> RowUpdates:
    """Joins pairs of words (L, n) and vectors (L, n, D) to one list of updates."""
    rows = [tf.reshape(words, [-1]) for words, _ in parts]
    values = [tf.reshape(vectors, [-1, vectors.shape[-1]]) for _, vectors in parts]
    return RowUpdates(tf.concat(rows, 0), tf.concat(values, 0))

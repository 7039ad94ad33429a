"""Clipping of gradients whose rows repeat, as those of embeddings do."""

import keras
import numpy as np
import tensorflow as tf

from shared.engine.training.train_step import apply_gradients


def test_repeated_rows_count_as_their_sum():
    """Two updates of one row by 3 and 4 have the norm 7, not 5."""
    table = keras.Variable(np.zeros((4, 1), "float32"))
    optimizer = keras.optimizers.SGD(1.0)
    optimizer.build([table])
    gradient = tf.IndexedSlices(
        tf.constant([[3.0], [4.0]]), tf.constant([1, 1]), tf.constant([4, 1])
    )
    apply_gradients(optimizer, [gradient], [table], clip_norm=1.0)
    np.testing.assert_allclose(table, [[0.0], [-1.0], [0.0], [0.0]], rtol=1e-6)


def test_small_gradients_stay_as_they_are():
    table = keras.Variable(np.zeros((2, 1), "float32"))
    optimizer = keras.optimizers.SGD(1.0)
    optimizer.build([table])
    apply_gradients(optimizer, [tf.constant([[0.3], [0.4]])], [table], clip_norm=1.0)
    np.testing.assert_allclose(table, [[-0.3], [-0.4]], rtol=1e-6)

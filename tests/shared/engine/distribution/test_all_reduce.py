"""Sums over replicas, sent in packs."""

import numpy as np
import tensorflow as tf

from shared.engine.distribution import all_reduce


def test_packs_hold_dense_tensors_of_one_type(monkeypatch):
    monkeypatch.setattr(all_reduce, "LARGEST_PACK", 10)
    sparse = tf.IndexedSlices(tf.ones([1, 2]), tf.constant([0]), tf.constant([5, 2]))
    tensors = [tf.ones(4), tf.ones([2, 3]), tf.ones(1), tf.ones(20), sparse, tf.ones(2),
               tf.ones(2, tf.float16)]  # fmt: skip
    assert all_reduce.packs(tensors) == [[0, 1], [2], [3], [4], [5], [6]]


def test_sums_are_those_of_each_tensor(two_devices):
    shapes = [(3,), (2, 2), (), (4, 1)]

    @tf.function
    def step():
        def replica():
            number = tf.cast(
                tf.distribute.get_replica_context().replica_id_in_sync_group, tf.float32
            )
            tensors = [tf.fill(shape, 1.0 + number + len(shape)) for shape in shapes]
            return all_reduce.sum_over_replicas(tensors)

        return two_devices.run(replica)

    for value, shape in zip(step(), shapes, strict=True):
        for local in two_devices.experimental_local_results(value):
            np.testing.assert_array_equal(local, np.full(shape, 3.0 + 2 * len(shape)))

"""Writing into a cache in place, against assignments in NumPy."""

import numpy as np
import tensorflow as tf

from shared.decoding.key_value_cache import in_place_writer


def test_positions_are_written_into_every_row_and_head():
    """In a loop, as a decoder does; the caches of keys and of values keep apart."""
    generator = np.random.default_rng(0)
    keys, values = generator.normal(size=(2, 3, 2, 5, 4)).astype("float32")
    new = generator.normal(size=(4, 3, 2, 1, 4)).astype("float32")

    @tf.function(autograph=False)
    def written(keys, values):
        def step(index, keys, values):
            write = in_place_writer(keys, 1 + index)
            return index + 1, write(keys, tf.constant(new)[index]), write(values, -new[0])

        # What a caller holds is not to be changed.
        _, *caches = tf.while_loop(lambda i, *_: i < 4, step, (0, keys + 0.0, values + 0.0))
        return caches

    found = written(keys, values)
    keys[:, :, 1:], values[:, :, 1:] = np.concatenate(new, axis=2), -new[0]
    np.testing.assert_array_equal(found[0], keys)
    np.testing.assert_array_equal(found[1], values)

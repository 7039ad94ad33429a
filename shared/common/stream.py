"""The order of training examples as a pure function of (seed, global step).

Position p of the endless stream is example `permutation[p // n](p % n)`, where every epoch
has its own permutation. Any position is computed directly, so that a resumed run starts at
its step without replaying, nothing is held in memory, and several workers agree without
talking to each other. Batches are consecutive positions: each is full, and the one at the
end of an epoch is completed from the next epoch.
"""

import math

import tensorflow as tf


def steps_per_epoch(num_examples: int, batch_size: int) -> int:
    """Steps of one epoch: the smallest number of full batches that covers the data."""
    return max(1, math.ceil(num_examples / batch_size))


def training_steps(
    num_examples: int,
    batch_size: int,
    seed: int,
    start_step: int = 0,
    worker: tuple[int, int] = (0, 1),
    examples_per_row: int = 1,
) -> tf.data.Dataset:
    """Endless stream of one worker's share of the global batches, step by step.

    Args:
        num_examples: int. Size of the training set.
        batch_size: int. Global batch size.
        seed: int. Seed of the run.
        start_step: int. Global step of the first batch.
        worker: (index, count). Each worker takes a contiguous slice of every global batch.
        examples_per_row: int. Consecutive examples that form a row, and stay together.

    Returns:
        Dataset of (indices int64 (b,), seeds int32 (b, 2), steps int64 (b,)): which
        examples, the seed for all random augmentation of each, and the global step that
        they belong to. `.unbatch()` it to load and augment example by example, then batch
        by `worker_batch_size`; b is that number of rows times `examples_per_row`.
    """
    begin, end = (examples_per_row * row for row in worker_slice(batch_size, worker))

    def at(step):
        positions = step * batch_size * examples_per_row + tf.range(begin, end, dtype=tf.int64)
        indices = examples_at(positions, num_examples, seed)
        return indices, position_seeds(positions, seed), tf.fill([end - begin], step)

    # The last step that int64 can count is out of reach of any training.
    return tf.data.Dataset.range(start_step, 2**62).map(at)


def evaluation_examples(
    num_examples: int, batch_size: int, worker: tuple[int, int] = (0, 1)
) -> tf.data.Dataset:
    """Indices of the examples whose batches are a worker's, each once and in order.

    Args:
        num_examples: int. Size of the data set.
        batch_size: int. Batch size; `.batch(batch_size)` then gives the batches of this worker.
        worker: (index, count). Batches are dealt out in turn.
    """
    index, count = worker
    batches = tf.data.Dataset.range(num_examples).batch(batch_size)
    return batches.shard(count, index).unbatch()


def worker_slice(batch_size: int, worker: tuple[int, int]) -> tuple[int, int]:
    """The rows [begin, end) of a global batch that belong to a worker."""
    index, count = worker
    return index * batch_size // count, (index + 1) * batch_size // count


def worker_batch_size(batch_size: int, worker: tuple[int, int]) -> int:
    """Number of rows of a global batch that belong to a worker."""
    begin, end = worker_slice(batch_size, worker)
    return end - begin


def examples_at(positions: tf.Tensor, num_examples: int, seed: int) -> tf.Tensor:
    """Indices of the examples at stream positions.

    Args:
        positions: int64 tensor (b,).
        num_examples: int. Size of the training set.
        seed: int. Seed of the run.

    Returns:
        int64 tensor (b,).
    """
    epochs = positions // num_examples
    seeds = tf.fill(tf.shape(epochs), tf.cast(seed, tf.int64))
    # The raw operation, because tf.random.experimental.index_shuffle takes one seed only.
    return tf.raw_ops.RandomIndexShuffle(
        index=positions % num_examples,
        seed=tf.stack([seeds, epochs, tf.zeros_like(epochs)], axis=-1),
        max_index=tf.constant(num_examples - 1, tf.int64),
        rounds=4,
    )


def position_seeds(positions: tf.Tensor, seed: int) -> tf.Tensor:
    """An int32 seed pair for each position, (b, 2), that no other position of a run has."""
    low = tf.cast(positions % (2**31 - 1), tf.int32)
    return tf.stack([tf.fill(tf.shape(low), seed), low], axis=-1)

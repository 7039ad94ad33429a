"""Splits host batches over the replicas of this process and puts results together again.

Done here rather than by `experimental_distribute_dataset`, so that uneven batches are split
without an empty replica and evaluation knows which rows are padding.
"""

from typing import Any

import numpy as np
import tensorflow as tf


def split(strategy: tf.distribute.Strategy, batch: Any) -> Any:
    """Gives each local replica its rows of a batch.

    Replica r of R gets rows [r * n // R, (r + 1) * n // R). A batch with fewer rows than
    replicas is padded by its last row: see `pad`.

    Args:
        strategy: the strategy in force.
        batch: nested tensors with equal first dimension n.

    Returns:
        The batch itself for one replica, otherwise nested PerReplica values.
    """
    replicas = local_replicas(strategy)
    if replicas == 1:
        return batch
    batch = pad(batch, replicas)
    rows = row_count(batch)
    return tf.nest.map_structure(lambda tensor: _spread(strategy, tensor, rows, replicas), batch)


def batch_spec(strategy: tf.distribute.Strategy, dataset: tf.data.Dataset) -> Any:
    """The specs of what `split` gives, or None where they are not known beforehand.

    With them a step is traced once. Several workers need that: one that traces again when its
    rows have another length than before no longer understands the others.
    """
    return dataset.element_spec if local_replicas(strategy) == 1 else None


def _spread(strategy, tensor, rows, replicas):
    def part(context):
        index = context.replica_id_in_sync_group % replicas
        return tensor[index * rows // replicas : (index + 1) * rows // replicas]

    return strategy.experimental_distribute_values_from_function(part)


def join(strategy: tf.distribute.Strategy, outputs: Any, rows: int) -> Any:
    """Puts the outputs of the local replicas together as numpy arrays of `rows` rows.

    Sequences (B, T) of unequal length are padded by zeros to the longest.

    Args:
        strategy: the strategy in force.
        outputs: nested tensors, or PerReplica values of several replicas.
        rows: int. Rows of the batch; those beyond are padding.
    """

    def concatenate(value):
        parts = [part.numpy() for part in strategy.experimental_local_results(value)]
        return np.concatenate(_equally_long(parts))[:rows]

    if local_replicas(strategy) == 1:
        return tf.nest.map_structure(lambda tensor: tensor.numpy(), outputs)
    return tf.nest.map_structure(concatenate, outputs)


def _equally_long(parts: list[np.ndarray]) -> list[np.ndarray]:
    if parts[0].ndim < 2:
        return parts
    max_length = max(part.shape[1] for part in parts)
    beyond = [(0, 0)] * (parts[0].ndim - 2)
    return [np.pad(p, [(0, 0), (0, max_length - p.shape[1]), *beyond]) for p in parts]


def pad(batch: Any, rows: int) -> Any:
    """Repeats the last row until there are at least `rows` rows."""
    missing = rows - row_count(batch)
    if missing <= 0:
        return batch
    return tf.nest.map_structure(
        lambda tensor: tf.concat([tensor, tf.repeat(tensor[-1:], missing, axis=0)], axis=0),
        batch,
    )


def row_count(batch: Any) -> int:
    """Number of rows of a batch of nested tensors."""
    return int(tf.nest.flatten(batch)[0].shape[0])


def local_replicas(strategy: tf.distribute.Strategy) -> int:
    """Number of replicas that this process runs."""
    return len(strategy.extended.worker_devices) if strategy.num_replicas_in_sync > 1 else 1

"""Sums over the replicas, with few messages.

A network has hundreds of small gradients, and sending each alone costs more than its bytes.
"""

from typing import Any

import tensorflow as tf

# Elements of one message; large gradients travel alone, without being copied together.
LARGEST_PACK = 1 << 22


def sum_over_replicas(value: Any) -> Any:
    """Sum of a tensor, or of each tensor of a list, over all replicas."""
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return value
    if not isinstance(value, list):
        return context.all_reduce(tf.distribute.ReduceOp.SUM, value)
    sums = list(value)
    for pack in packs(value):
        summed = _summed_together(context, [value[index] for index in pack])
        for index, tensor in zip(pack, summed, strict=True):
            sums[index] = tensor
    return sums


def packs(tensors: list) -> list[list[int]]:
    """Indices of the tensors that travel together: dense ones of one type, in order."""
    result: list[list[int]] = []
    kind, size = None, 0
    for index, tensor in enumerate(tensors):
        dense = isinstance(tensor, tf.Tensor) and tensor.shape.is_fully_defined()
        elements = tensor.shape.num_elements() if dense else LARGEST_PACK
        this = (tensor.dtype, dense)
        if this != kind or size + elements > LARGEST_PACK or not dense:
            result.append([])
            kind, size = this, 0
        result[-1].append(index)
        size += elements
    return result


def _summed_together(context, tensors: list) -> list:
    if len(tensors) == 1:
        return [context.all_reduce(tf.distribute.ReduceOp.SUM, tensors[0])]
    flat = tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], 0)
    flat = context.all_reduce(tf.distribute.ReduceOp.SUM, flat)
    parts = tf.split(flat, [tensor.shape.num_elements() for tensor in tensors])
    return [tf.reshape(part, tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]


def gather_rows(value: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The rows of all replicas, in their order.

    Args:
        value: tensor (b, ...) of this replica; b may differ from replica to replica.

    Returns:
        Tensor (n, ...), the same on all replicas, and the int32 number of its first row that is
        of this replica.
    """
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return value, tf.constant(0)
    counts = context.all_gather(tf.shape(value)[:1], axis=0)
    begin = tf.reduce_sum(counts[: context.replica_id_in_sync_group])
    return context.all_gather(value, axis=0), begin

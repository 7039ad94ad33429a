"""Batches of token ids in tf.data: as planned for training, in order of length for evaluation."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from shared.common import stream
from shared.text.batch_plan import BatchPlan

PREFETCHED_BATCHES = 4


class Examples(Protocol):
    """Examples that batches are made of."""

    def batch(self, chosen: np.ndarray) -> Any:
        """The padded batch of the examples with these indices, nested arrays."""

    def batch_spec(self) -> Any:
        """The specs of a batch."""


def training_batches(
    examples: Examples, plan: BatchPlan, start_step: int = 0, worker: tuple[int, int] = (0, 1)
) -> tf.data.Dataset:
    """Endless batches as planned, from `start_step` on: this worker's rows of each.

    Args:
        examples: examples of the batches.
        plan: the batches.
        start_step: int. Global step of the first batch.
        worker: index of this worker and number of workers.
    """

    def batches() -> Iterator:
        for step in itertools.count(start_step):
            chosen = plan.texts_of(step)
            begin, end = stream.worker_slice(len(chosen), worker)
            yield examples.batch(chosen[begin:end])

    return dataset_of(examples, batches)


def evaluation_batches(
    examples: Examples, lengths: np.ndarray, batch_size: int, worker: tuple[int, int] = (0, 1)
) -> tf.data.Dataset:
    """This worker's batches of all examples, those of like length together.

    Args:
        examples: examples of the batches.
        lengths: int (N,). Length of each example.
        batch_size: int. Examples of a batch.
        worker: index of this worker and number of workers.
    """
    index, count = worker
    order = np.argsort(lengths, kind="stable")
    parts = np.split(order, range(batch_size, len(order), batch_size))
    return dataset_of(examples, lambda: (examples.batch(part) for part in parts[index::count]))


def dataset_of(examples: Examples, batches: Callable[[], Iterator]) -> tf.data.Dataset:
    """The batches of an iterator that can be made again and again, a few of them prefetched."""
    dataset = tf.data.Dataset.from_generator(batches, output_signature=examples.batch_spec())
    return dataset.prefetch(PREFETCHED_BATCHES)

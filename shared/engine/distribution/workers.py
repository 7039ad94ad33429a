"""Collectives between worker processes: barrier, broadcast, gather.

One process is a group of one, for which all of this is free. Several exchange bytes through
the collectives of TensorFlow that also carry their gradients, so that no further connection
is needed.
"""

import contextlib
import json
import signal
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from shared.common.errors import KerasuiteError
from shared.common.serialization import pack, unpack
from shared.common.signals import CaughtSignal


class Workers:
    """The processes of a strategy.

    Args:
        strategy: the strategy that the run trains under.

    Attributes:
        index: which of them this process is; 0 is the chief, which alone writes the run folder.
        count: how many there are.
    """

    def __init__(self, strategy: tf.distribute.Strategy):
        self._strategy = strategy
        self.index, self.count = 0, 1
        if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            self.index = strategy.cluster_resolver.task_id
            self.count = len(strategy.cluster_resolver.cluster_spec().task_indices("worker"))
        self._sum = tf.function(self._summed, autograph=False, reduce_retracing=True)

    @property
    def is_chief(self) -> bool:
        return self.index == 0

    def _summed(self, value: tf.Tensor) -> Any:
        """Sum of an int32 tensor over the processes, as a value for each local replica."""
        local = len(self._strategy.extended.worker_devices)

        def contribute(value):
            context = tf.distribute.get_replica_context()
            # Each process speaks once, however many replicas it has.
            first = tf.equal(context.replica_id_in_sync_group % local, 0)
            part = tf.where(first, value, tf.zeros_like(value))
            return context.all_reduce(tf.distribute.ReduceOp.SUM, part)

        return self._strategy.run(contribute, args=(value,))

    def sum(self, value: np.ndarray) -> tf.Tensor:
        """Sum of an int32 array over the processes; read it later, to not wait for it now."""
        if self.count == 1:
            return tf.convert_to_tensor(value)
        result = self._sum(tf.convert_to_tensor(value, tf.int32))
        return self._strategy.experimental_local_results(result)[0]

    def barrier(self) -> None:
        """Returns when all processes have come here."""
        if self.count > 1:
            self.sum(np.zeros(1, np.int32)).numpy()

    def gather(self, payload: bytes) -> list[bytes]:
        """Returns the payloads of all processes, in their order, on each of them."""
        if self.count == 1:
            return [payload]
        lengths = np.zeros(self.count, np.int32)
        lengths[self.index] = len(payload)
        lengths = self.sum(lengths).numpy()
        words = np.zeros((self.count, -(-int(lengths.max()) // 4)), np.int32)
        padded = payload.ljust(4 * words.shape[1], b"\0")
        words[self.index] = np.frombuffer(padded, np.int32)
        words = self.sum(words).numpy()
        return [row.tobytes()[:length] for row, length in zip(words, lengths, strict=True)]

    def broadcast(self, value: Any) -> Any:
        """The chief's plain (JSON) value, on all processes."""
        if self.count == 1:
            return value
        return json.loads(self.gather(json.dumps(value).encode() if self.is_chief else b"")[0])

    def in_turn(self, items: Iterable[Any]) -> Iterator[Any]:
        """The items of all processes on each of them: first item of each, second of each, ...

        Args:
            items: nested numpy arrays of one structure; the chief has as many as any other, or
                one more at most, as when batches are dealt out in turn.
        """
        if self.count == 1:
            yield from items
            return
        items = iter(items)
        while True:
            own = next(items, None)
            parts = self.gather(b"" if own is None else pack(own))
            if not any(parts):
                return
            yield from (unpack(part) for part in parts if part)

    @contextlib.contextmanager
    def report_lost_workers(self) -> Iterator[None]:
        """Turns the failure of a collective into one line.

        Raises:
            KerasuiteError: if another process has ended or cannot be reached.
        """
        try:
            yield
        except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError,
                tf.errors.DeadlineExceededError, tf.errors.InternalError) as error:  # fmt: skip
            if self.count == 1:
                raise
            raise KerasuiteError(
                f"worker {self.index} lost another worker; see that one's "
                f"message and continue with --resume"
            ) from error


class AgreedStop:
    """Whether any process was asked to stop: known to all of them at the same step.

    Each step's answer is read at the next one, so that no device waits for it.

    Args:
        workers: the processes.
        caught: the signals of this one.
    """

    _SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self, workers: Workers, caught: CaughtSignal):
        self._workers, self._caught = workers, caught
        self._agreed: int | None = None
        self._pending: tf.Tensor | None = None

    @property
    def raised(self) -> int | None:
        """The signal, or None."""
        return self._caught.raised if self._workers.count == 1 else self._agreed

    def poll(self) -> None:
        """Called by all processes after every step."""
        if self._workers.count == 1:
            return
        own = np.array([self._caught.raised == number for number in self._SIGNALS], np.int32)
        earlier, self._pending = self._pending, self._workers.sum(own)
        if earlier is not None and any(counts := earlier.numpy()):
            self._agreed = self._SIGNALS[int(counts.argmax())]

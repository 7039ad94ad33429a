"""Runs a model over a data set and lets the application's evaluator judge.

Several workers take the batches in turn; the chief's evaluator sees all of them in order, so
that there is one result, the same as on one device.
"""

import contextlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from shared.common.prefetch import prefetch
from shared.engine.app import App, Evaluator
from shared.engine.distribution import replicas
from shared.engine.run import Run
from shared.engine.training.train_step import item_count, loss_terms


class ForwardPass:
    """Model outputs and loss of whole batches, compiled once and kept between epochs."""

    def __init__(self, model: keras.Model, strategy: tf.distribute.Strategy):
        self._strategy = strategy
        predictions = getattr(model, "predictions", lambda x, outputs: outputs)

        def forward(batch):
            x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
            outputs = model(x, training=False)
            if y is None:
                return predictions(x, outputs), {}
            count = tf.reshape(item_count(model, batch), [1])
            terms = loss_terms(model, x, y, outputs, sample_weight, training=False)
            return predictions(x, outputs), {
                name: (tf.cast(value, tf.float32) * count, count) for name, value in terms.items()
            }

        self._run = tf.function(
            lambda batch: strategy.run(forward, args=(batch,)),
            autograph=False,
            reduce_retracing=True,
        )

    def __call__(self, batch: Any) -> tuple[Any, dict[str, tuple[float, float]]]:
        """Numpy outputs of a batch, and name to (loss sum, item count)."""
        rows = replicas.row_count(batch)
        outputs, sums = self._run(replicas.split(self._strategy, batch))
        sums = replicas.join(self._strategy, sums, rows=replicas.local_replicas(self._strategy))
        sums = {name: (float(np.sum(a)), float(np.sum(b))) for name, (a, b) in sums.items()}
        return replicas.join(self._strategy, outputs, rows), sums


def evaluate(
    app: App,
    run: Run,
    model: keras.Model,
    split: str = "validation",
    forward: ForwardPass | None = None,
    on_batch=None,
    evaluator: Evaluator | None = None,
) -> tuple[dict[str, float], Evaluator]:
    """Scores a model on a split.

    Args:
        app, run, model: the application, its run and the model to score.
        split: name of a finite split of `app.batches`.
        forward: reused between epochs, if given.
        on_batch: called with the number of rows after every batch.
        evaluator: of the split; by default the application's.

    Returns:
        Metrics by name, with the loss terms where the data have targets, and the evaluator
        for its report.
    """
    forward = forward or ForwardPass(model, run.strategy)
    evaluator = evaluator or app.evaluator_of(run, split)
    totals: dict[str, list[float]] = {}

    def own_share():
        for batch, (outputs, sums) in _forwarded(
            forward, app.batches(run, split), run.cpu_data_parallel
        ):
            arrays = tf.nest.map_structure(lambda tensor: tensor.numpy(), batch)
            yield without_inputs(evaluator, arrays), outputs, sums

    for batch, outputs, sums in run.workers.in_turn(own_share()):
        if run.is_chief:
            add_to(totals, sums)
            evaluator.update(batch, outputs)
        if on_batch is not None:
            on_batch(replicas.row_count(outputs))
    return run.workers.broadcast(_scores(totals, evaluator) if run.is_chief else None), evaluator


def _forwarded(forward: ForwardPass, batches: Iterable, two: bool) -> Iterator[tuple[Any, Any]]:
    """Each batch and what the forward pass gives, in order.

    With `two`, two batches at once share the cores, as two micro-batches do in training.
    """
    if not two:
        yield from ((batch, forward(batch)) for batch in batches)
        return
    with ThreadPoolExecutor(2) as pool:
        started = ((batch, pool.submit(forward, batch)) for batch in batches)
        for batch, future in prefetch(started, lambda: 2):
            yield batch, future.result()


def without_inputs(evaluator: Evaluator, batch: Any) -> Any:
    """Leaves x out of a batch, unless the evaluator needs it: it may be most of its bytes."""
    if evaluator.uses_inputs or not isinstance(batch, tuple):
        return batch
    return (None, *batch[1:])


def add_to(totals: dict[str, list[float]], sums: dict[str, tuple[float, float]]) -> None:
    """Adds the (loss sum, item count) of a batch to those of the batches before it."""
    for name, (value, count) in sums.items():
        total = totals.setdefault(name, [0.0, 0.0])
        total[0] += float(value)
        total[1] += float(count)


def _scores(totals: dict[str, list[float]], evaluator: Evaluator) -> dict[str, float]:
    return {name: total / count for name, (total, count) in totals.items()} | evaluator.result()


@contextlib.contextmanager
def averaged(average):
    """Puts averaged weights into the model, where training keeps them."""
    with average.applied() if average is not None else contextlib.nullcontext():
        yield

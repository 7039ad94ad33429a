"""Size, speed and score of a model, before and after compression."""

import dataclasses
import time
import zlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from shared.engine.app import App, ServingModule
from shared.engine.run import Run
from shared.engine.training.evaluate import evaluate

# Batch size and repetitions of the speed measurement.
BATCH, REPEATS = 32, 5


@dataclasses.dataclass(frozen=True)
class Figures:
    """Size, speed and metrics of a model.

    Attributes:
        parameters: number of weights that are not zero.
        megabytes: size of all weights as stored.
        packed_megabytes: size of all weights compressed by zlib; zeros cost next to nothing.
        texts_per_second: speed from raw texts to results.
        metrics: metrics of the validation data; "score" is shown.
    """

    parameters: int
    megabytes: float
    packed_megabytes: float
    texts_per_second: float
    metrics: dict[str, Any]


def measure(app: App, run: Run, model: keras.Model) -> Figures:
    """The figures of a model.

    Args:
        app: the application.
        run: the run.
        model: its model.
    """
    arrays = [np.array(weight) for weight in model.weights]
    metrics, _ = evaluate(app, run, model)
    return Figures(
        sum(int(np.count_nonzero(array)) for array in arrays),
        sum(array.nbytes for array in arrays) / 1e6,
        sum(len(zlib.compress(array.tobytes(), 1)) for array in arrays) / 1e6,
        texts_per_second(app.serving(run, model)[""]),
        metrics,
    )


def texts_per_second(serving: ServingModule) -> float:
    """Raw texts per second through the default signature, in the fastest of some runs."""
    _, function = serving.signatures()["serving_default"]
    call = tf.function(function, autograph=False)
    examples = serving.examples()["serving_default"]
    count = len(next(iter(examples.values())))
    rows = np.resize(np.arange(count), BATCH)
    inputs = {name: tf.constant(np.asarray(values)[rows]) for name, values in examples.items()}
    seconds = []
    for _ in range(REPEATS + 1):
        started = time.perf_counter()
        tf.nest.map_structure(lambda tensor: tensor.numpy(), call(**inputs))
        seconds.append(time.perf_counter() - started)
    return BATCH / min(seconds[1:])

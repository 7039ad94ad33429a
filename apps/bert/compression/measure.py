"""How large, how fast and how good a model is: the figures before and after compression."""

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

# The rows of the speed measurement, and how often they are run.
BATCH, REPEATS = 32, 5


@dataclasses.dataclass(frozen=True)
class Figures:
    """What is compared.

    Attributes:
        parameters: weights, those that are zero left out.
        megabytes: of all weights, as they are stored.
        packed_megabytes: the same, compressed by zlib: zeros cost next to nothing.
        texts_per_second: raw texts in, answers out.
        metrics: of the validation data; "score" is the one that is shown.
    """

    parameters: int
    megabytes: float
    packed_megabytes: float
    texts_per_second: float
    metrics: dict[str, Any]


def measure(app: App, run: Run, model: keras.Model) -> Figures:
    """The figures of a model."""
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
    """Raw texts a second through the default signature, the fastest of some runs."""
    _, function = serving.signatures()["serving_default"]
    call = tf.function(function)
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

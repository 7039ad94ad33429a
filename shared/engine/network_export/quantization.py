"""Calibration of int8 on the training data, and the metrics before and after."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from shared.common.splits import TRAIN
from shared.engine.app import App
from shared.engine.network_export.network_format import Network
from shared.engine.run import Run
from shared.engine.training.evaluate import evaluate

# Images that the ranges of int8 are measured with.
CALIBRATION = 128


def calibration_images(app: App, run: Run) -> Iterator[list[np.ndarray]]:
    """Images of the training, augmented as there, one at a time."""
    left = CALIBRATION
    for batch in app.dataset(run, TRAIN):
        images, _, _ = keras.utils.unpack_x_y_sample_weight(batch)
        for image in images.numpy()[:left]:
            yield [image[np.newaxis].astype(np.float32)]
        left -= min(left, len(images))
        if not left:
            return


def metrics_before_and_after(
    app: App, run: Run, model: keras.Model, network: Network
) -> dict[str, list[float]]:
    """Each metric of the validation data, of the model and of the network that it became.

    Args:
        app, run, model: the application, its run and the trained model.
        network: the function of a quantised file.
    """
    before, _ = evaluate(app, run, model)
    after, _ = evaluate(app, run, model, forward=_of_file(model, network))
    return {
        name: [float(before[name]), float(value)]
        for name, value in after.items()
        if isinstance(value, (int, float))
    }


def _of_file(model: keras.Model, network: Network):
    predictions = getattr(model, "predictions", lambda x, outputs: outputs)

    def forward(batch: Any) -> tuple[Any, dict]:
        images, _, _ = keras.utils.unpack_x_y_sample_weight(batch)
        outputs = network({"image": tf.cast(images, tf.float32).numpy()})
        found = predictions(images, tf.nest.map_structure(tf.constant, outputs))
        return tf.nest.map_structure(keras.ops.convert_to_numpy, found), {}

    return forward

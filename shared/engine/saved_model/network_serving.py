"""The serving module of a task whose model is one network of images."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from shared.engine.app import ServingModule
from shared.engine.saved_model.empty_batches import answer_empty_batches
from shared.engine.saved_model.exportable_network import ExportableNetwork
from shared.engine.saved_model.fold_batch_norm import fold_batch_norm
from shared.engine.saved_model.inference_network import InferenceNetwork

# Images of the comparison, (number, (height, width)) where a side is free: unequal ones.
TRIED = ((2, (40, 24)), (1, (17, 33)))


class NetworkServing(ExportableNetwork, ServingModule):
    """Raw input, images, network, answer: each signature is made of these four.

    In a SavedModel all of it is one graph. Another format holds the network alone; then the
    same functions compute the rest beside it, see `network_export`.

    Args:
        network: keras.Model, functional; or another function of (images, training).
        image_spec: tf.TensorSpec. Of the images that it takes.
    """

    # Methods that compute what comes before and after the network.
    graph_methods: tuple[str, ...] = ()
    # Sides of the images are multiples of it.
    grid = 1
    input_words = "float32 images (N, height, width, 3), RGB from 0 to 255, normalisation inside"

    def __init__(self, network: keras.Model | Callable, image_spec: tf.TensorSpec):
        self.network, self.image_spec = network, image_spec

    def outputs_of(self, images: tf.Tensor) -> Any:
        """The network's outputs for any number of images, none included."""
        return answer_empty_batches(partial(self.network, training=False), images)

    # === The network alone, see `network_export` ===

    def specs(self) -> dict[str, tf.TensorSpec]:
        return {"image": tf.TensorSpec(self.image_spec.shape, self.image_spec.dtype, name="image")}

    def for_export(self) -> keras.Model:
        return fold_batch_norm(self.network, dtype="float32")

    def live_outputs(self, inputs: dict[str, tf.Tensor]) -> Any:
        return self.outputs_of(inputs["image"])

    def trials(self) -> list[dict[str, np.ndarray]]:
        generator = np.random.default_rng(0)
        fixed = self.image_spec.shape[1:3]
        trials = []
        for count, others in TRIED:
            sides = [
                side or -(-other // self.grid) * self.grid
                for side, other in zip(fixed, others, strict=True)
            ]
            images = generator.uniform(0, 255, (count, *sides, 3)).astype(np.float32)
            trials.append({"image": images})
        return trials

    def input_facts(self) -> dict[str, Any]:
        return {
            "shape": list(self.image_spec.shape),
            "type": "float32",
            "axes": "images, rows, columns, RGB",
            "range": [0, 255],
            "normalisation": "part of the network",
        }

    def for_inference(self) -> "NetworkServing":
        module = copy.copy(self)
        module.network = InferenceNetwork(self.network, self.image_spec)
        return module

"""The serving module of a task whose model is one network of images."""

import abc
import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from shared.engine.app import ServingModule
from shared.engine.saved_model.empty_batches import answer_empty_batches
from shared.engine.saved_model.inference_network import InferenceNetwork


class NetworkServing(ServingModule):
    """Raw input, images, network, answer: each signature is made of these four.

    In a SavedModel all of it is one graph. Another format holds the network alone; then the
    same functions compute the rest beside it, see `network_export`.

    Args:
        network: keras.Model, functional; or another function of (images, training).
        image_spec: tf.TensorSpec. Of the images that it takes.
    """

    # Methods that compute what comes before and after the network.
    graph_methods: tuple[str, ...] = ()

    def __init__(self, network: keras.Model | Callable, image_spec: tf.TensorSpec):
        self.network, self.image_spec = network, image_spec

    def outputs_of(self, images: tf.Tensor) -> Any:
        """The network's outputs for any number of images, none included."""
        return answer_empty_batches(partial(self.network, training=False), images)

    def for_inference(self) -> "NetworkServing":
        module = copy.copy(self)
        module.network = InferenceNetwork(self.network, self.image_spec)
        return module

    @abc.abstractmethod
    def facts(self) -> dict[str, Any]:
        """Facts for programs that call the network by itself, as JSON.

        "image" says how files become images, other keys what the outputs mean.
        """

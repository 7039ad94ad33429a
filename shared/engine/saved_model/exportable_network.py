"""The network of a serving module, for exports that hold it alone."""

import abc
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf


class ExportableNetwork(abc.ABC):
    """A part of a serving module: its network with fixed inputs and outputs.

    Class attributes:
        input_words: the inputs, in the model card.
        quantizable: whether the metrics of the task judge a network in int8.
    """

    input_words: ClassVar[str]
    quantizable: ClassVar[bool] = False

    @abc.abstractmethod
    def specs(self) -> dict[str, tf.TensorSpec]:
        """Name to spec of each input."""

    @abc.abstractmethod
    def for_export(self) -> keras.Model:
        """The network for inference in float32, functional, with weights of its own."""

    @abc.abstractmethod
    def live_outputs(self, inputs: dict[str, tf.Tensor]) -> Any:
        """Outputs of the live network, for comparison."""

    @abc.abstractmethod
    def trials(self) -> list[dict[str, np.ndarray]]:
        """Inputs for a comparison."""

    @abc.abstractmethod
    def input_facts(self) -> dict[str, Any]:
        """The inputs, for programs that call the network by itself, as JSON."""

    @abc.abstractmethod
    def facts(self) -> dict[str, Any]:
        """Facts for programs that call the network by itself, as JSON.

        "image" says how files become images, other keys what the outputs mean.

        Raises:
            KerasuiteError: if the network has no fixed inputs and outputs.
        """

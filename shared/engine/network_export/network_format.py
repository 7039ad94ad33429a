"""The contract of a file format that holds a network and nothing around it."""

import abc
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

# Function of float32 images (N, H, W, 3) to the outputs: by name, or the only one.
Network = Callable[[np.ndarray], Any]


class NetworkFormat(abc.ABC):
    """How a network becomes a file, and a file a function again.

    Attributes:
        name: of the format, for `--format`; the file is `model.<name>`. `verify_network.LOADERS`
            has it too.
        usage: Markdown for the model card: how a program calls the file `{file}`.
    """

    name: ClassVar[str]
    usage: ClassVar[str]

    @property
    def file_name(self) -> str:
        """Name of the file in an export."""
        return f"model.{self.name}"

    @abc.abstractmethod
    def require(self) -> None:
        """Raises a KerasuiteError that says what to install where packages are missing."""

    @abc.abstractmethod
    def write(self, model: keras.Model, spec: tf.TensorSpec, file: Path) -> None:
        """Writes a network of layers in float32.

        Args:
            model: functional, for inference.
            spec: of the images that it takes.
            file: the file to write.
        """

    @abc.abstractmethod
    def load(self, file: Path) -> Network:
        """The network of a file.

        Raises:
            KerasuiteError: if a package is missing or the file cannot be loaded.
        """

    @abc.abstractmethod
    def outputs(self, file: Path) -> dict[str, list[int | None]]:
        """Name to shape of each output of a file, as it is written."""

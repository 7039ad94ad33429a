"""The contract of a file format that holds a network and nothing around it."""

import abc
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

# Function of arrays by the name of the input to the outputs: by name, or the only one.
Network = Callable[[dict[str, np.ndarray]], Any]
# Input name to what the network takes there.
Specs = dict[str, tf.TensorSpec]
# Batches of examples that a quantisation is calibrated with.
Inputs = Iterable[list[np.ndarray]]


class NetworkFormat(abc.ABC):
    """How a network becomes a file, and a file a function again.

    Attributes:
        name: of the format, for `--format`.
        suffix: of its files, `model.<suffix>`. `verify_network.LOADERS` has it too.
        usage: Markdown for the model card: how a program calls the file `{file}` with
            `{arguments}`.
    """

    name: ClassVar[str]
    suffix: ClassVar[str]
    usage: ClassVar[str]

    @property
    def file_name(self) -> str:
        """Name of the file in an export."""
        return f"model.{self.suffix}"

    @abc.abstractmethod
    def require(self) -> None:
        """Raises a KerasuiteError that says what to install where packages are missing."""

    @abc.abstractmethod
    def write(
        self, model: keras.Model, specs: Specs, file: Path, calibration: Inputs | None = None
    ) -> None:
        """Writes a network of layers in float32.

        Args:
            model: functional, for inference.
            specs: of its inputs.
            file: the file to write.
            calibration: None, or examples to write it in int8 with; for LiteRT only.
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

    def modules(self, file: Path) -> list[str]:
        """Modules of this project without which the file does not load."""
        return []

    def reason(self, error: Exception) -> str:
        """Why a conversion failed, in a few words."""
        return (str(error).strip() or type(error).__name__).splitlines()[0][:200]

    @staticmethod
    def name_in(names: Sequence[str], key: str) -> str:
        """The name that an input has in a file; converters put prefixes before it."""
        return names[0] if len(names) == 1 else next(name for name in names if key in name)

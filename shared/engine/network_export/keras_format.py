"""Keras's own file, made of Keras's own layers where that can be."""

import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from shared.common.errors import KerasuiteError
from shared.engine.network_export.inline_layers import inline_layers
from shared.engine.network_export.network_format import Inputs, Network, NetworkFormat, Specs
from shared.engine.saved_model.loaded_model import one_line

USAGE = """\
```python
import keras

network = keras.saving.load_model({file!r}, compile=False)
outputs = network({arguments}, training=False)
```"""


class KerasFormat(NetworkFormat):
    """A `.keras` file of the network for inference, not of the model that was trained."""

    name = "keras"
    suffix = "keras"
    usage = USAGE

    def require(self) -> None:
        """Keras is always there."""

    def write(
        self, model: keras.Model, specs: Specs, file: Path, calibration: Inputs | None = None
    ) -> None:
        inline_layers(model).save(file)

    def load(self, file: Path) -> Network:
        try:
            model = keras.saving.load_model(file, compile=False)
        except (ValueError, TypeError, OSError, KeyError) as error:
            raise KerasuiteError(f"{file} cannot be loaded: {one_line(error)}") from error
        run = tf.function(
            lambda inputs: model(inputs, training=False), autograph=False, reduce_retracing=True
        )

        def call(inputs: dict[str, np.ndarray]) -> Any:
            tensors = {key: tf.constant(value) for key, value in inputs.items()}
            outputs = run(next(iter(tensors.values())) if len(tensors) == 1 else tensors)
            return tf.nest.map_structure(lambda tensor: tensor.numpy(), outputs)

        return call

    def outputs(self, file: Path) -> dict[str, list[int | None]]:
        outputs = keras.saving.load_model(file, compile=False).output
        named = outputs if isinstance(outputs, Mapping) else {"output_0": outputs}
        return {name: list(tensor.shape) for name, tensor in named.items()}

    def modules(self, file: Path) -> list[str]:
        with zipfile.ZipFile(file) as archive:
            config = json.loads(archive.read("config.json"))
        return sorted(set(_own_modules(config)))


def _own_modules(config: Any) -> Iterator[str]:
    """The modules of this project whose classes a configuration names."""
    if isinstance(config, Mapping):
        if str(config.get("registered_name")).startswith("kerasuite>"):
            yield config["module"]
        config = list(config.values())
    if isinstance(config, list):
        for value in config:
            yield from _own_modules(value)

"""Imports of applications and of other modules that need TensorFlow."""

import importlib
from typing import Any

from shared.common.quiet import import_tensorflow


def load_app(import_path: str) -> Any:
    """Creates the application at "package.module:Class", with TensorFlow's log lines hidden."""
    module, _, name = import_path.partition(":")
    return getattr(load_module(module), name)()


def load_module(name: str) -> Any:
    """Imports a module that needs TensorFlow, with TensorFlow's log lines hidden."""
    import_tensorflow()
    _pin_keras()
    from shared.engine.distribution.gpus import set_memory_growth

    set_memory_growth()
    return importlib.import_module(name)


def _pin_keras() -> None:
    """Sets what `~/.keras/keras.json` may have set otherwise; the backend is pinned by `cli`."""
    import keras

    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)

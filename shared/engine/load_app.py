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
    return importlib.import_module(name)

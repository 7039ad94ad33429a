"""environment.json: what a run was made with."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import tensorflow as tf

from shared.engine.files import write_json

PACKAGES = ("kerasuite", "tensorflow", "keras", "tensorflow-text", "numpy")


def write_environment(path: Path, strategy: tf.distribute.Strategy) -> None:
    """Writes versions, devices and the command line."""
    write_json(
        path,
        {
            "command": sys.argv,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "packages": {name: installed_version(name) for name in PACKAGES},
            "strategy": type(strategy).__name__,
            "replicas": strategy.num_replicas_in_sync,
            "devices": [device.name for device in tf.config.list_logical_devices()],
        },
    )


def installed_version(package: str) -> str:
    """Version of an installed package, or "not installed"."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"

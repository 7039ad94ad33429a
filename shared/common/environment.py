"""environment.json: versions and devices that a run was made with."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import tensorflow as tf

from shared.common.files import read_json, write_json

PACKAGES = ("kerasuite", "tensorflow", "keras", "tensorflow-text", "numpy")


def write_environment(
    path: Path, strategy: tf.distribute.Strategy, cpu_data_parallel: bool
) -> None:
    """Writes versions, devices and the command line; a resume is appended.

    Args:
        path: of environment.json.
        strategy: the strategy of the run.
        cpu_data_parallel: see `enable_cpu_data_parallel`.
    """
    now = {
        "command": sys.argv,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: installed_version(name) for name in PACKAGES},
        "strategy": type(strategy).__name__,
        "replicas": strategy.num_replicas_in_sync,
        "cpu_data_parallel": cpu_data_parallel,
        "devices": [device.name for device in tf.config.list_logical_devices()],
    }
    if path.is_file():
        first = read_json(path)
        now = first | {"resumed": [*first.get("resumed", []), now]}
    write_json(path, now)


def installed_version(package: str) -> str:
    """Version of an installed package, or "not installed"."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"

"""Devices, strategies, precision and seeds: everything that is set once per process."""

import random
import re

import keras
import numpy as np
import tensorflow as tf

from shared.engine.config import RunConfig
from shared.engine.errors import KerasuiteError


def set_up(config: RunConfig) -> tf.distribute.Strategy:
    """Prepares the process for a run: seeds, precision, devices; returns the strategy.

    Raises:
        KerasuiteError: if the devices asked for are not there, or the batch is too small.
    """
    # Layer names count up from here, so that a resumed run finds its variables by name.
    keras.utils.clear_session()
    set_seeds(config.seed, config.deterministic)
    set_precision(config.precision)
    strategy = create_strategy(config.strategy, config.devices)
    replicas = strategy.num_replicas_in_sync
    if config.batch_size < replicas:
        raise KerasuiteError(
            f"--batch-size {config.batch_size}: is the global batch and smaller than the "
            f"{replicas} replicas; raise it or use fewer --devices"
        )
    return strategy


def set_seeds(seed: int, deterministic: bool = False) -> None:
    """Seeds Python, NumPy, Keras and TensorFlow, optionally with deterministic kernels."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


def set_precision(precision: str) -> None:
    """Sets the Keras dtype policy of the layers built from now on."""
    keras.mixed_precision.set_global_policy(precision)


def create_strategy(name: str = "auto", devices: str = "") -> tf.distribute.Strategy:
    """Creates the strategy that `--strategy` and `--devices` ask for.

    Args:
        name: "auto", "single", "mirrored" or "multiworker". "auto" is multiworker when
            `TF_CONFIG` is set, mirrored with two or more devices, otherwise single.
        devices: "" for all GPUs (or the CPU), "gpu:0,gpu:1", "cpu", or "cpu:2" for two
            logical CPU devices.
    """
    selected = select_devices(devices)
    if name == "mirrored" or (name == "auto" and len(selected) > 1):
        return tf.distribute.MirroredStrategy(selected)
    if name == "multiworker":
        raise KerasuiteError("--strategy multiworker: not available in this version")
    if devices:
        return tf.distribute.OneDeviceStrategy(selected[0])
    return tf.distribute.get_strategy()


def select_devices(devices: str) -> list[str]:
    """Names of the logical devices for `--devices`.

    Raises:
        KerasuiteError: if the text is malformed or names a device that is not there.
    """
    if not devices:
        gpus = tf.config.list_logical_devices("GPU")
        return [gpu.name for gpu in gpus] or ["/device:CPU:0"]
    if match := re.fullmatch(r"cpu:(\d+)", devices):
        return _logical_cpus(int(match[1]))
    names = []
    for text in devices.split(","):
        match = re.fullmatch(r"(cpu|gpu)(?::(\d+))?", text.strip().lower())
        if not match:
            raise KerasuiteError(f"--devices {devices}: write it as gpu:0,gpu:1 or cpu:2")
        names.append(f"/device:{match[1].upper()}:{match[2] or 0}")
    there = {device.name for device in tf.config.list_logical_devices()}
    for name in names:
        if name not in there:
            raise KerasuiteError(
                f"--devices {devices}: there is no {name}; found {', '.join(sorted(there))}"
            )
    return names


def _logical_cpus(count: int) -> list[str]:
    if count < 1:
        raise KerasuiteError("--devices cpu:0: name at least one device")
    existing = tf.config.get_logical_device_configuration(tf.config.list_physical_devices("CPU")[0])
    if len(existing or [None]) < count:
        try:
            tf.config.set_logical_device_configuration(
                tf.config.list_physical_devices("CPU")[0],
                [tf.config.LogicalDeviceConfiguration() for _ in range(count)],
            )
        except RuntimeError:
            raise KerasuiteError(
                f"--devices cpu:{count}: TensorFlow already runs with fewer logical CPUs; "
                f"start a new process"
            ) from None
    return [f"/device:CPU:{index}" for index in range(count)]

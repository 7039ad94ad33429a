"""Devices, strategies, precision and seeds: everything that is set once per process."""

import random
import re
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from shared.common.config import RunConfig, to_dict
from shared.common.environment import installed_version
from shared.common.errors import KerasuiteError
from shared.engine.distribution.cluster import Cluster, find_cluster
from shared.engine.distribution.rendezvous import meet


def set_up(config: RunConfig) -> tf.distribute.Strategy:
    """Prepares the process for a run: seeds, precision, devices; returns the strategy.

    Raises:
        KerasuiteError: if the devices asked for are not there, the workers do not agree, or
            the batch is too small.
    """
    # Layer names count up from here, so that a resumed run finds its variables by name.
    keras.utils.clear_session()
    set_seeds(config.seed, config.deterministic)
    set_precision(config.precision)
    strategy = create_strategy(config.strategy, config.devices, plan=to_dict(config))
    replicas = strategy.num_replicas_in_sync
    # 0: the application makes batches by another measure than examples.
    if 0 < config.batch_size < replicas:
        raise KerasuiteError(
            f"--batch-size {config.batch_size}: is the global batch and smaller than the "
            f"{replicas} replicas; raise it or use fewer devices or workers"
        )
    return strategy


def set_seeds(seed: int, deterministic: bool = False) -> None:
    """Seeds Python, NumPy, Keras and TensorFlow, optionally with deterministic kernels."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    keras.utils.set_random_seed(seed)
    set_kernels(deterministic)


def set_kernels(deterministic: bool) -> None:
    """Takes deterministic kernels from now on, if they are wanted."""
    if deterministic:
        tf.config.experimental.enable_op_determinism()


def set_precision(precision: str) -> None:
    """Sets the Keras dtype policy of the layers built from now on."""
    keras.mixed_precision.set_global_policy(precision)


def create_strategy(
    name: str = "auto", devices: str = "", plan: dict[str, Any] | None = None
) -> tf.distribute.Strategy:
    """Creates the strategy that `--strategy` and `--devices` ask for.

    Args:
        name: "auto", "single", "mirrored" or "multiworker". "auto" is multiworker in a cluster
            of several workers, mirrored with two or more devices, otherwise single.
        devices: "" for all GPUs (or the CPU), "gpu:0,gpu:1", "cpu", or "cpu:2" for two
            logical CPU devices.
        plan: what all workers of a cluster have to agree on.
    """
    cluster = find_cluster() if name in ("auto", "multiworker") else None
    if cluster is not None:
        return _multiworker(cluster, devices, plan or {})
    if name == "multiworker":
        raise KerasuiteError(
            "--strategy multiworker: no cluster found; start with 'kerasuite launch --workers N "
            "-- ...', with srun, or set TF_CONFIG on every worker"
        )
    selected = select_devices(devices)
    if name == "mirrored" or (name == "auto" and len(selected) > 1):
        return tf.distribute.MirroredStrategy(selected)
    if devices:
        return tf.distribute.OneDeviceStrategy(selected[0])
    return tf.distribute.get_strategy()


def _multiworker(cluster: Cluster, devices: str, plan: dict[str, Any]) -> tf.distribute.Strategy:
    _show_only(devices)
    meet(cluster, {"kerasuite": installed_version("kerasuite"), **_flat(plan)})
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.addresses)}),
        task_type="worker",
        task_id=cluster.index,
        rpc_layer="grpc",
    )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(resolver)
    except (tf.errors.OpError, RuntimeError) as error:
        raise KerasuiteError(
            f"worker {cluster.index} ({cluster.addresses[cluster.index]}) cannot join the others: "
            f"{str(error).splitlines()[0][:200]}"
        ) from error


def _show_only(devices: str) -> None:
    """Hides the GPUs that `devices` leaves out; a worker uses all that TensorFlow sees."""
    gpus = tf.config.list_physical_devices("GPU")
    if devices.startswith("cpu"):
        gpus = []
    elif devices:
        wanted = [_device_number(text, devices) for text in devices.split(",")]
        if max(wanted) >= len(gpus):
            raise KerasuiteError(f"--devices {devices}: this worker has {len(gpus)} GPUs")
        gpus = [gpus[number] for number in wanted]
    tf.config.set_visible_devices(gpus, "GPU")


def _device_number(text: str, devices: str) -> int:
    match = re.fullmatch(r"gpu:(\d+)", text.strip().lower())
    if not match:
        raise KerasuiteError(f"--devices {devices}: write it as cpu or gpu:0,gpu:1 for a worker")
    return int(match[1])


def _flat(plan: dict[str, Any], prefix: str = "--") -> dict[str, Any]:
    """Nested options as flags, so that a difference is named as the user typed it."""
    flat: dict[str, Any] = {}
    for name, value in plan.items():
        if isinstance(value, dict):
            flat |= _flat(value)
        else:
            flat[prefix + name.replace("_", "-")] = value
    return flat


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

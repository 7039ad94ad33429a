"""GPUs: memory, what is said of one that is not used, and whether steps are compiled by XLA."""

import contextlib
import importlib.util
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

from shared.common.errors import KerasuiteError

ROOT = Path(__file__).resolve().parents[3]
# From here on XLA's compiler in TensorFlow 2.21 does not know the GPU.
FIRST_WITHOUT_XLA = (12, 0)
# TensorFlow's message names the operations that a graph for XLA must not hold.
UNSUPPORTED = re.compile(r"unsupported operations when trying to compile.*?: (\w+)", re.DOTALL)


def set_memory_growth() -> None:
    """Lets TensorFlow take GPU memory as it needs it, and not all of it at once."""
    for gpu in tf.config.list_physical_devices("GPU"):
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:
            return  # TensorFlow has begun to use it.


def unused_gpu() -> str:
    """One line about an NVIDIA GPU that TensorFlow does not use, with the mend; or nothing."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    there = shutil.which("nvidia-smi") or Path("/dev/nvidia0").exists()
    if hidden or not there or tf.config.list_physical_devices("GPU"):
        return ""
    if importlib.util.find_spec("nvidia") and importlib.util.find_spec("nvidia.cudnn"):
        return (
            "an NVIDIA GPU is here, but TensorFlow cannot use it although its libraries are "
            "installed; see whether nvidia-smi shows the GPU and a driver for CUDA 12"
        )
    return f"an NVIDIA GPU is here, but TensorFlow does not use it; install: {install_command()}"


def install_command() -> str:
    """The command that installs the extra `gpu`, of a clone or of the package."""
    source = ROOT if (ROOT / "pyproject.toml").is_file() else "kerasuite"
    return f"pip install '{source}[gpu]'"


def compile_notice() -> str:
    """One line if the kernels for this GPU have to be compiled first; otherwise nothing.

    TensorFlow's wheel has machine code up to a compute capability and an intermediate form of
    it beyond, which the driver compiles once and keeps.
    """
    built = tf.sysconfig.get_build_info().get("cuda_compute_capabilities", ())
    known = [int(name.removeprefix("sm_")) for name in built if name.startswith("sm_")]
    newest = max(gpu_capabilities(), default=(0, 0))
    if not known or newest[0] * 10 + newest[1] <= max(known) or _compiled_before():
        return ""
    return (
        f"TensorFlow has no kernels for compute capability {newest[0]}.{newest[1]}: the driver "
        f"compiles them now, which takes minutes, and keeps them for the next time"
    )


def _compiled_before() -> bool:
    folder = Path(os.environ.get("CUDA_CACHE_PATH") or Path.home() / ".nv" / "ComputeCache")
    return folder.is_dir() and any(folder.iterdir())


def gpu_capabilities() -> list[tuple[int, int]]:
    """Compute capability of each GPU that TensorFlow uses."""
    details = map(tf.config.experimental.get_device_details, tf.config.get_visible_devices("GPU"))
    return [detail.get("compute_capability", (0, 0)) for detail in details]


def use_xla(
    choice: str, replicas: int, on_gpu: bool, batch_spec: Any, deterministic: bool = False
) -> bool:
    """Whether the training step is compiled by XLA.

    `auto` does so on one GPU that XLA knows, for batches whose rows are all of one shape: each
    other shape would be compiled anew. Not with deterministic kernels, which XLA lacks for the
    gradient of max pooling. Not on a CPU: on two cores the preset `tiny` of classify
    ran at 358 examples/s with it and at 1,052 without, that of srgan at 285 and 404.

    Args:
        choice: "auto", "on" or "off".
        replicas: of the strategy.
        on_gpu: whether the step runs on a GPU.
        batch_spec: specs of a batch, or None where they are not known beforehand.
        deterministic: whether kernels are to be deterministic.
    """
    if choice == "on" and replicas > 1:
        raise KerasuiteError(
            f"--xla on: compiles the step of one device, not of {replicas}; leave it out or "
            f"choose one with --devices"
        )
    if choice != "auto":
        return choice == "on"
    if replicas > 1 or not on_gpu or deterministic or batch_spec is None:
        return False
    shapes = [spec.shape for spec in tf.nest.flatten(batch_spec)]
    fixed = all(shape.rank is not None and None not in shape[1:] for shape in shapes)
    return fixed and xla_knows_gpus()


@contextlib.contextmanager
def missing_in_xla(choice: str) -> Iterator[None]:
    """Turns the failure of XLA on an operation that it lacks into a line with the option.

    Args:
        choice: "auto", "on" or "off".
    """
    try:
        yield
    except tf.errors.OpError as error:
        if choice == "on" and (found := UNSUPPORTED.search(str(error))):
            raise KerasuiteError(
                f"--xla on: XLA has no {found[1]}, which the training step needs; leave it out"
            ) from error
        raise


def xla_knows_gpus() -> bool:
    """Whether XLA can compile for all GPUs that TensorFlow uses; a CPU it always can."""
    return all(capability < FIRST_WITHOUT_XLA for capability in gpu_capabilities())

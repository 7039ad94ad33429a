"""Data parallelism on one CPU: two micro-batches at once, each on half of the cores.

Cores that share each operation wait for one another at its end, a tenth of the step of a small
Transformer. Where each micro-batch has its own cores, they meet once, when gradients are summed.
Every operation of the process then has half of the cores, and validation runs two batches at once.
"""

import math
import os

import tensorflow as tf

from shared.common.config import RunConfig
from shared.engine.distribution.devices import available_cores

# Set by the user, or by `launch` for workers that share a machine: then nothing is changed.
THREADS = "TF_NUM_INTRAOP_THREADS"


def enable_cpu_data_parallel(config: RunConfig, independent_rows: bool) -> bool:
    """Gives each of two micro-batches half of the cores, where that is possible.

    Called before TensorFlow computes anything: its threads are set once per process.

    Args:
        config: of the run.
        independent_rows: see `shared.engine.app.App`.

    Returns:
        Whether batches are to be trained so.
    """
    cores = available_cores()
    whole = config.optimization.micro_batches > 1 or not independent_rows or not _is_cpu(config)
    if whole or cores < 2 or THREADS in os.environ:
        return False
    try:
        tf.config.threading.set_intra_op_parallelism_threads(math.ceil(cores / 2))
    except RuntimeError:
        return False  # TensorFlow has begun with other threads.
    return True


def _is_cpu(config: RunConfig) -> bool:
    """Whether one CPU device does all the work of this process."""
    if config.strategy == "mirrored":
        return False
    if config.devices:
        return config.devices.lower() == "cpu"
    return not tf.config.list_physical_devices("GPU")

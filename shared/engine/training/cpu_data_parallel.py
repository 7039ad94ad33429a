"""Whether a batch is trained in two halves that share the cores of a CPU.

Cores that share each operation wait for one another at its end, a tenth of the step of a small
Transformer. Where each half has its own cores, they meet once, when gradients are added up. An
operation then has half of the cores in the whole process, and validation two batches at a time.
"""

import math
import os

import tensorflow as tf

from shared.common.config import RunConfig
from shared.engine.distribution.devices import available_cores

# Set by the user, or by `launch` for workers that share a machine: then nothing is changed.
THREADS = "TF_NUM_INTRAOP_THREADS"


def enable_cpu_data_parallel(config: RunConfig, independent_rows: bool) -> bool:
    """Gives each half of a batch its share of the cores, where that is possible.

    Called before TensorFlow computes anything: its threads are set once per process.

    Args:
        config: of the run.
        independent_rows: see `shared.engine.app.App`.

    Returns:
        Whether batches shall be trained in halves.
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

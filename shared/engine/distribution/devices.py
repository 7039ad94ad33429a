"""`kerasuite devices`: what TensorFlow sees here and what a training would use."""

import os

import tensorflow as tf

from shared.engine.distribution.cluster import find_cluster
from shared.engine.distribution.gpus import unused_gpu


def describe() -> dict:
    """Plain values: processors, GPUs with their memory, cluster, strategy of `auto`."""
    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    cluster = find_cluster()
    return {
        "tensorflow": tf.__version__,
        "built with CUDA": tf.test.is_built_with_cuda(),
        "CPU threads": tf.config.threading.get_intra_op_parallelism_threads() or available_cores(),
        "GPUs": [
            {
                "device": f"gpu:{number}",
                "name": detail.get("device_name", "unknown"),
                "compute capability": ".".join(map(str, detail.get("compute_capability", ()))),
            }
            for number, detail in enumerate(details)
        ],
        "cluster": list(cluster.addresses) if cluster else [],
        "worker": cluster.index if cluster else 0,
        "auto": _choice(len(gpus), cluster is not None),
        "not used": unused_gpu(),
    }


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _choice(gpus: int, in_cluster: bool) -> str:
    """The choice of `--strategy auto`, in words."""
    if in_cluster:
        return "multiworker: this process is one worker of a cluster"
    if gpus > 1:
        return f"mirrored: {gpus} GPUs in one process"
    return "single: one GPU" if gpus else "single: the CPU"


def as_text() -> str:
    """The description, a line for each fact."""
    facts = describe()
    gpus = facts.pop("GPUs")
    lines = [f"{name:16} {value}" for name, value in facts.items() if value not in ([], "")]
    for gpu in gpus:
        lines.append(f"{gpu['device']:16} {gpu['name']} ({gpu['compute capability']})")
    if not gpus:
        hint = "none" if facts["built with CUDA"] else "none (this TensorFlow has no CUDA)"
        lines.append(f"{'GPUs':16} {hint}")
    return "\n".join(lines)

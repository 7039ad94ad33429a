"""The cluster of workers, read from TF_CONFIG or from SLURM's variables.

    {"cluster": {"worker": ["a:2222", "b:2222"]}, "task": {"type": "worker", "index": 0}}

Worker 0 is the chief: it alone writes the run folder.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.common.errors import KerasuiteError

# How the workers of a step are found under srun; set for every process of it.
SLURM_STEP_SIZE = "SLURM_STEP_NUM_TASKS"


@dataclass(frozen=True)
class Cluster:
    """All workers of a job, as one of them sees them.

    Attributes:
        addresses: "host:port" of every worker, the chief's first.
        index: which of them this process is.
    """

    addresses: tuple[str, ...]
    index: int

    @property
    def count(self) -> int:
        return len(self.addresses)

    @property
    def is_chief(self) -> bool:
        return self.index == 0

    def to_tf_config(self) -> str:
        """The value of TF_CONFIG that describes this worker."""
        task = {"type": "worker", "index": self.index}
        return json.dumps({"cluster": {"worker": list(self.addresses)}, "task": task})


def find_cluster(environment: Mapping[str, str] | None = None) -> Cluster | None:
    """The cluster that this process belongs to, or None for a process of its own.

    Args:
        environment: where to look; by default the process's own variables. TF_CONFIG comes
            before SLURM's.

    Raises:
        KerasuiteError: if TF_CONFIG or SLURM's variables are malformed.
    """
    environment = os.environ if environment is None else environment
    if environment.get("TF_CONFIG", "").strip():
        return parse_tf_config(environment["TF_CONFIG"])
    tasks = environment.get(SLURM_STEP_SIZE) or "1"
    if not tasks.isdecimal():
        raise KerasuiteError(f"{SLURM_STEP_SIZE}={tasks}: is no number; start with srun")
    return _from_slurm() if int(tasks) > 1 else None


def parse_tf_config(text: str) -> Cluster | None:
    """Reads a TF_CONFIG; None where it describes one worker only.

    Raises:
        KerasuiteError: naming what is wrong with it.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise KerasuiteError(
            f"TF_CONFIG: is not JSON ({error}); write it as {_example()} or unset it"
        ) from None
    cluster = _part(value, "cluster", dict)
    unknown = set(cluster) - {"chief", "worker"}
    if unknown:
        raise KerasuiteError(
            f"TF_CONFIG: cluster has '{min(unknown)}'; only chief and worker take part in training"
        )
    for job, listed in cluster.items():
        if not isinstance(listed, list):
            raise KerasuiteError(f"TF_CONFIG: cluster's '{job}' is no list; write {_example()}")
    addresses = [_address(a) for job in ("chief", "worker") for a in cluster.get(job, [])]
    if not addresses:
        raise KerasuiteError(f"TF_CONFIG: cluster names no worker; write it as {_example()}")
    task = _part(value, "task", dict)
    kind, index = task.get("type"), task.get("index")
    known = kind if isinstance(kind, str) and kind in cluster else ""
    is_index = isinstance(index, int) and not isinstance(index, bool)
    if not known or not is_index or not 0 <= index < len(cluster[known]):
        raise KerasuiteError(
            f"TF_CONFIG: task {json.dumps(task)} is not one of the cluster's; give a type and an "
            f"index that it lists"
        )
    if len(addresses) != len(set(addresses)):
        raise KerasuiteError("TF_CONFIG: two workers have one address; give each its own port")
    index += len(cluster.get("chief", [])) if kind == "worker" else 0
    return Cluster(tuple(addresses), index) if len(addresses) > 1 else None


def _part(value: Any, name: str, kind: type) -> Any:
    part = value.get(name) if isinstance(value, dict) else None
    if not isinstance(part, kind):
        raise KerasuiteError(f"TF_CONFIG: has no '{name}'; write it as {_example()}")
    return part


def _address(text: Any) -> str:
    host, _, port = str(text).rpartition(":")
    if not host or not port.isdecimal() or not port.isascii() or not 0 < int(port) < 65536:
        raise KerasuiteError(f"TF_CONFIG: address {text!r}; write it as host:port")
    return str(text)


def _example() -> str:
    return '{"cluster": {"worker": ["a:2222", "b:2222"]}, "task": {"type": "worker", "index": 0}}'


def _from_slurm() -> Cluster:
    import tensorflow as tf

    try:
        # Spreading GPUs over the tasks of a node is left to SLURM (--gpus-per-task). The resolver
        # counts them anyhow, and fails on nodes without: it is told that there are enough.
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
            gpus_per_node=1024, gpus_per_task=1, auto_set_gpu=False
        )
        addresses = resolver.cluster_spec().as_dict()["worker"]
    except (KeyError, ValueError, RuntimeError, IndexError, TypeError) as error:
        raise KerasuiteError(
            f"SLURM: its variables do not tell the workers ({error}); start with srun or set "
            f"TF_CONFIG"
        ) from error
    return Cluster(tuple(addresses), resolver.task_id)

"""Imports TensorFlow: quietly, and with the settings that only count before the import."""

import contextlib
import importlib
import os
import re
import sys
from collections.abc import Iterator


def import_tensorflow(devices: str = "") -> None:
    """Imports TensorFlow without its log lines about CPU features and missing GPUs.

    TF_CPP_MIN_LOG_LEVEL alone does not hide what is logged before logging is initialised.
    Set it yourself to see everything.

    Args:
        devices: what `--devices` asks for. With several logical CPUs oneDNN is switched off:
            TensorFlow 2.21's kernels corrupt the heap when two of them train on batches of
            unequal size.
    """
    if re.fullmatch(r"cpu:\d+", devices) and devices != "cpu:1":
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ and os.environ["TF_CPP_MIN_LOG_LEVEL"] != "3":
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with _silent_stderr():
        tensorflow = importlib.import_module("tensorflow")
    tensorflow.get_logger().setLevel("ERROR")


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Sends file descriptor 2, which C++ writes to as well, to nowhere."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)

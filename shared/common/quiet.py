"""Imports TensorFlow as the suite wants it: quiet, and with memory handled to suit it."""

import contextlib
import gc
import importlib
import os
import sys
from collections.abc import Iterator


def import_tensorflow() -> None:
    """Imports TensorFlow without its log lines about CPU features and missing GPUs.

    TF_CPP_MIN_LOG_LEVEL alone does not hide what is logged before logging is initialised.
    Set it yourself to see everything.
    """
    # Tracing makes millions of objects that stay; Python looks through them for garbage so often
    # that it takes a tenth of the time.
    gc.set_threshold(50_000, 20, 20)
    # The system's allocator gives large tensors back to the kernel and has every page cleared
    # again at the next step, which was half the time of a small Transformer's step.
    os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "1")
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

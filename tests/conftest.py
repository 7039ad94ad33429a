"""Set-up of every test process: quiet, one thread an operation, two CPUs, one mirrored strategy."""

import gc
import itertools
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# The test processes share the cores; and a step is then the same on every machine.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault(
    "KERASUITE_DATA", os.path.join(os.path.dirname(__file__), "../../shared/data")
)

from pathlib import Path

import pytest
import tensorflow as tf

from shared.testing import processes

# Parts of paths in the order in which they are started, so that the short ones fill up the end.
LONGEST_FIRST = (
    "test_all_apps", "tests/apps/", "tests/shared/engine/", "tests/test_", "tests/", "",
)  # fmt: skip

# Tracing makes millions of objects that stay; looking through them so often costs a tenth.
gc.set_threshold(50_000, 20, 20)

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Puts the tests of a module, which share fixtures, into one process, the longest ones first.

    A module's tests are one group unless they name another. What a module lists in `SLOW_PARTS` is
    marked as slow, what it lists in `LEFT_OUT` is not run. With `--no-loadscope-reorder`, xdist
    hands the groups out in this order.
    """
    items[:] = [item for item in items if not _is_among(item, "LEFT_OUT")]
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(str(item.path)))
        if _is_among(item, "SLOW_PARTS"):
            item.add_marker(pytest.mark.slow)
    items.sort(key=_rank)


def _rank(item) -> int:
    """0 for the tests of whole applications, which take longest, then the folders by their time."""
    return next((rank for rank, part in enumerate(LONGEST_FIRST) if part in item.nodeid), 99)


def pytest_runtest_setup(item):
    """A GPU, or real data for hours, is used by new Python processes and not by forks."""
    processes.FRESH = any(item.get_closest_marker(name) for name in ("gpu", "quality"))


def _is_among(item, name: str) -> bool:
    """Whether a module lists this test and case, or this case as a whole, under a name."""
    parts = getattr(item.module, name, ()) if hasattr(item, "module") else ()
    if not parts or not hasattr(item, "callspec"):
        return False
    case = item.callspec.params.get("case")
    return ("", case) in parts or (item.originalname, case) in parts


@pytest.fixture(scope="session")
def two_devices() -> tf.distribute.Strategy:
    """One MirroredStrategy for the whole session: TensorFlow does not support a second one."""
    return tf.distribute.MirroredStrategy(["/device:CPU:0", "/device:CPU:1"])


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets beside the project; tests that need it skip without it."""
    folder = Path(os.environ["KERASUITE_DATA"])
    if not folder.is_dir():
        pytest.skip(f"no real data sets in {folder} (set KERASUITE_DATA)")
    return folder


MODULES = itertools.count(1)


@pytest.fixture(autouse=True, scope="module")
def freeze_survivors():
    """Keeps the garbage collector from searching the graphs of earlier modules again and again.

    Full collections took a quarter of the CPU time of a long test process. After every tenth
    module one searches all, so that memory does not grow with what has died since.
    """
    yield
    if next(MODULES) % 10 == 0:
        gc.unfreeze()
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def reset_precision():
    """A test that changes the precision does not change it for the next one."""
    yield
    import keras

    keras.mixed_precision.set_global_policy("float32")

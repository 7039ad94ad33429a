"""Set-up of every test process: quiet, one thread an operation, two CPUs, one mirrored strategy."""

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

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """The tests of a module share a process, and its fixtures, unless they say another group.

    Marks as slow what a module names in `SLOW_PARTS`.
    """
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(str(item.path)))
        if _is_slow_part(item):
            item.add_marker(pytest.mark.slow)


def _is_slow_part(item) -> bool:
    """Whether a module has this test and case, or this case as a whole, among its `SLOW_PARTS`."""
    parts = getattr(item.module, "SLOW_PARTS", ()) if hasattr(item, "module") else ()
    if not parts or not hasattr(item, "callspec"):
        return False
    case = item.callspec.params.get("case")
    return ("", case) in parts or (item.originalname, case) in parts


@pytest.fixture(scope="session")
def two_devices() -> tf.distribute.Strategy:
    """One MirroredStrategy for the whole session: TensorFlow does not bear a second one."""
    return tf.distribute.MirroredStrategy(["/device:CPU:0", "/device:CPU:1"])


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets beside the project; tests that need it skip without it."""
    folder = Path(os.environ["KERASUITE_DATA"])
    if not folder.is_dir():
        pytest.skip(f"no real data sets in {folder} (set KERASUITE_DATA)")
    return folder


@pytest.fixture(autouse=True)
def reset_precision():
    """A test that changes the precision does not change it for the next one."""
    yield
    import keras

    keras.mixed_precision.set_global_policy("float32")

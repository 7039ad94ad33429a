"""Messages about GPUs, and the choice of XLA, with made-up devices."""

from types import SimpleNamespace

import pytest
import tensorflow as tf

from shared.common.errors import KerasuiteError
from shared.engine.distribution import devices, gpus
from tests.in_process import run_command

FIXED = (tf.TensorSpec((None, 8, 8, 3)), tf.TensorSpec((None,)))
VARYING = tf.TensorSpec((None, None), tf.int32)


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Makes TensorFlow list GPUs of these compute capabilities, on a machine that has one."""

    def describe(*capabilities, there=True):
        found = [SimpleNamespace(name=f"GPU:{n}", number=n) for n in range(len(capabilities))]
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: found)
        monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind=None: found)
        monkeypatch.setattr(
            tf.config.experimental,
            "get_device_details",
            lambda gpu: {"device_name": "X", "compute_capability": capabilities[gpu.number]},
        )
        monkeypatch.setattr(gpus.shutil, "which", lambda name: "/bin/nvidia-smi" if there else None)
        monkeypatch.setattr(gpus.importlib.util, "find_spec", lambda name: None)

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("CUDA_CACHE_PATH", str(tmp_path / "cache"))
    return describe


def test_a_gpu_that_is_not_used_is_said_with_the_command_that_helps(machine, monkeypatch):
    machine()
    assert gpus.unused_gpu().endswith(f"install: pip install '{gpus.ROOT}[gpu]'")
    assert gpus.unused_gpu() in devices.as_text()
    monkeypatch.setattr(gpus, "ROOT", gpus.ROOT / "shared")  # No clone: no pyproject.toml there.
    assert "pip install 'kerasuite[gpu]'" in gpus.unused_gpu()
    monkeypatch.setattr(gpus.importlib.util, "find_spec", lambda name: object())
    assert "driver" in gpus.unused_gpu() and "pip" not in gpus.unused_gpu()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert not gpus.unused_gpu()


def test_nothing_is_said_without_a_gpu_or_where_it_is_used(machine):
    machine((8, 6))
    assert not gpus.unused_gpu()
    machine(there=False)
    assert not gpus.unused_gpu()
    assert "not used" not in devices.as_text()


def test_train_and_predict_say_it(machine, tmp_path):
    """Before anything else can fail."""
    machine()
    output = ("--output", tmp_path / "run")
    for command in (
        ("classify", "train", tmp_path, *output),
        ("classify", "predict", tmp_path, tmp_path),
    ):
        err = " ".join(run_command(*command).stderr.split())
        assert "warning: an NVIDIA GPU is here" in err
    asked_for_the_cpu = run_command("classify", "train", tmp_path, *output, "--devices", "cpu")
    assert "NVIDIA" not in asked_for_the_cpu.stderr


@pytest.mark.parametrize(("capability", "said"), [((8, 9), False), ((9, 0), True), ((12, 0), True)])
def test_the_first_compile_for_an_unknown_gpu_is_announced(machine, tmp_path, capability, said):
    machine(capability)
    number = ".".join(map(str, capability))
    assert (f"no kernels for compute capability {number}:" in gpus.compile_notice()) == said
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "index").touch()
    assert not gpus.compile_notice()


def test_memory_grows(machine, monkeypatch):
    machine((8, 6), (8, 6))
    grown = []
    monkeypatch.setattr(
        tf.config.experimental, "set_memory_growth", lambda gpu, on: grown.append((gpu.name, on))
    )
    gpus.set_memory_growth()
    assert grown == [("GPU:0", True), ("GPU:1", True)]


@pytest.mark.parametrize(
    ("choice", "capability", "replicas", "spec", "expected"),
    [
        ("auto", (9, 0), 1, FIXED, True),
        ("auto", (12, 0), 1, FIXED, False),
        ("auto", (9, 0), 1, VARYING, False),
        ("auto", (9, 0), 1, None, False),
        ("auto", (9, 0), 2, FIXED, False),
        ("auto", None, 1, FIXED, False),
        ("on", None, 1, VARYING, True),
        ("on", (12, 0), 1, FIXED, True),
        ("off", (9, 0), 1, FIXED, False),
        ("off", (9, 0), 2, FIXED, False),
    ],
)
def test_when_xla_compiles(machine, choice, capability, replicas, spec, expected):
    machine(*[capability] if capability else [])
    assert gpus.use_xla(choice, replicas, capability is not None, spec) == expected


def test_xla_is_left_out_where_kernels_are_deterministic(machine):
    machine((9, 0))
    assert gpus.use_xla("auto", 1, True, FIXED)
    assert not gpus.use_xla("auto", 1, True, FIXED, deterministic=True)


def test_an_operation_that_xla_lacks_is_named():
    written = tf.function(
        lambda number: tf.strings.length(tf.strings.as_string(number)), jit_compile=True
    )
    with (
        pytest.raises(KerasuiteError, match="--xla on: XLA has no AsString"),
        gpus.missing_in_xla("on"),
    ):
        written(tf.constant(1.0))
    with pytest.raises(tf.errors.OpError), gpus.missing_in_xla("auto"):
        written(tf.constant(1.0))


def test_xla_is_for_one_device(machine):
    machine((9, 0), (9, 0))
    with pytest.raises(KerasuiteError, match="--xla on: .*not of 2"):
        gpus.use_xla("on", 2, True, FIXED)

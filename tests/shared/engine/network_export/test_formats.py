"""Formats of exports: what is missing is said, what a task has not is refused."""

import sys

import pytest

import cli
from shared.common.errors import KerasuiteError
from shared.engine.network_export import verify_network
from shared.engine.network_export.formats import FORMATS
from shared.engine.options import ExportFormat
from shared.engine.saved_model.saved_models import NETWORK_FILES
from tests.in_process import run_command


def test_a_missing_package_is_named_with_what_to_install(monkeypatch, tmp_path):
    for name in ("onnx", "tf2onnx", "onnxruntime"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(KerasuiteError, match=r"--format onnx: needs .*kerasuite\[onnx\]"):
        FORMATS["onnx"].require()
    with pytest.raises(KerasuiteError, match=r"model.onnx: needs .*onnxruntime.*kerasuite\[onnx\]"):
        FORMATS["onnx"].load(tmp_path / "model.onnx")


def test_every_format_is_known_everywhere():
    assert {each.suffix for each in FORMATS.values()} == set(verify_network.LOADERS)
    assert {each.file_name for each in FORMATS.values()} == set(NETWORK_FILES)
    assert {"savedmodel", *FORMATS} == set(ExportFormat.__args__[0].__args__)


WITH_FORMATS = ("classify", "detect", "srgan", "cyclegan", "bert")


@pytest.mark.parametrize("group", cli.GROUPS)
def test_only_tasks_of_networks_with_fixed_inputs_have_formats(group, tmp_path):
    done = run_command(group, "export", tmp_path, "--format", "onnx")
    if group in WITH_FORMATS:
        assert done.returncode == 1 and "run folder" in done.stderr
    else:
        assert done.returncode == 2 and "--format" in done.stderr


def test_int8_is_refused_in_other_formats(tmp_path):
    done = run_command("classify", "export", tmp_path, "--format", "onnx", "--quantize", "int8")
    assert done.returncode == 1
    assert "--quantize int8: is for --format litert" in " ".join(done.stderr.split())

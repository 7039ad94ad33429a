"""Weights of timm: how they are found, and refused."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from apps.vision.backbones import build_backbone
from apps.vision.backbones.torch_weights import _layers
from shared.common.errors import KerasuiteError
from tests.shared.common.hub_server import MODEL, serving

CONFIG = {
    "architecture": "resnet18",
    "num_classes": 1000,
    "pretrained_cfg": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
}


def tensors_of(backbone):
    """Random values, under their names, for every layer of ours."""
    generator, found = np.random.default_rng(0), {}
    for name, layer in _layers(backbone):
        if hasattr(layer, "kernel"):
            values = {"weight": layer.kernel.shape[-1:] + layer.kernel.shape[-2:-1]}
            values["weight"] += layer.kernel.shape[:2]
            values |= {"bias": layer.bias.shape} if layer.use_bias else {}
        else:
            parts = ("weight", "bias", "running_mean", "running_var")
            values = dict.fromkeys(parts, layer.gamma.shape)
        for part, shape in values.items():
            found[f"{name}.{part}"] = generator.uniform(0.5, 1, shape).astype(np.float32)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("timm")
    (found / "config.json").write_text(json.dumps(CONFIG))
    save_file(tensors_of(build_backbone("resnet18", (32, 32, 3))), found / "model.safetensors")
    return found


def test_from_the_hub(folder, tmp_path, monkeypatch):
    with serving(folder, tmp_path / "cache", monkeypatch):
        backbone = build_backbone("resnet18", (32, 32, 3), weights=f"hf:{MODEL}")
    tensors = load_file(folder / "model.safetensors")
    layer = backbone.get_layer("conv3_block1").shortcut
    kernel = tensors["layer2.0.downsample.0.weight"]
    np.testing.assert_array_equal(layer.convolution.kernel[0, 0], kernel[..., 0, 0].T)
    variance = tensors["layer2.0.downsample.1.running_var"]
    ours = np.asarray(layer.normalization.moving_variance) + layer.normalization.epsilon
    np.testing.assert_allclose(ours, variance + 1e-5, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("resnet34", {}, "are of resnet18, not of resnet34; choose weights of resnet34"),
        ("resnet50", {"architecture": "resnet50"}, "are for --backbone resnet50_torch, which has"),
        (
            "resnet18",
            {"pretrained_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3}},
            "expect images of mean (0.5, 0.5, 0.5) and deviation (0.5, 0.5, 0.5), but resnet18",
        ),
        ("resnet34", {"architecture": "resnet34"}, "the tensor 'layer1.2.conv1.weight' is miss"),
    ],
)
def test_others_are_refused(folder, tmp_path, name, changes, message):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG | changes))
    (tmp_path / "model.safetensors").symlink_to(folder / "model.safetensors")
    with pytest.raises(KerasuiteError) as error:
        build_backbone(name, (32, 32, 3), weights=str(tmp_path))
    assert message in str(error.value)


def test_a_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(KerasuiteError, match=r"has no config.json; fetch it too"):
        build_backbone("resnet18", (32, 32, 3), weights=str(tmp_path))

"""Weights of timm and torchvision against PyTorch (`pip install -e '.[oracle]'`)."""

import json
import sys

import keras
import numpy as np
import pytest

from apps.vision.backbones import build_backbone, classification_head, load_head_weights
from apps.vision.backbones.registry import default_head
from apps.vision.backbones.torch_weights import STATISTICS
from tests.apps.vision.test_torch_weights import CONFIG
from tests.apps.vision.test_vit import classifier, write_vit

# PyTorch's compiler, which is not used here: its library ends a process that has TensorFlow's.
sys.modules.setdefault("triton", None)
torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra `oracle`)")


def written(network, name, folder):
    from safetensors.torch import save_file

    folder.mkdir()
    save_file(network.state_dict(), folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(CONFIG | {"architecture": name}))
    return str(folder)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("resnet18", "resnet18"),
        pytest.param("resnet50_torch", "resnet50", marks=pytest.mark.slow),
        pytest.param("vgg11", "vgg11", marks=pytest.mark.slow),
        pytest.param("vgg11_bn", "vgg11_bn", marks=pytest.mark.slow),
    ],
)
def test_logits(tmp_path, ours, theirs):
    from tests.apps.vision.torch_networks import network

    their_network = network(theirs)
    weights = written(their_network, theirs, tmp_path / "weights")
    side = 32 if ours.startswith("vgg") else 64
    backbone = build_backbone(ours, (side, side, 3), weights=weights)
    logits = classification_head(backbone.output, 1000, default_head(ours))
    model = keras.Model(backbone.input, logits)
    loaded = load_head_weights(model, ours, weights)
    assert loaded == (["fc1", "fc2"] if ours.startswith("vgg") else []) + ["predictions"]
    images = np.random.default_rng(0).integers(0, 256, (2, side, side, 3)).astype(np.float32)
    mean, deviation = (np.array(values, np.float32) for values in STATISTICS["torch"])
    scaled = torch.tensor(((images / 255 - mean) / deviation).transpose(0, 3, 1, 2))
    with torch.no_grad():
        expected = their_network(scaled).numpy()
    np.testing.assert_allclose(model(images), expected, atol=1e-4 * np.abs(expected).max())


def test_vit(tmp_path):
    transformers = pytest.importorskip(
        "transformers", reason="transformers is not installed (extra `oracle`)"
    )
    folder = write_vit(tmp_path / "in")
    theirs = transformers.ViTForImageClassification.from_pretrained(folder, num_labels=5).eval()
    model, loaded = classifier(folder)
    assert loaded == ["predictions"]
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.float32)
    with torch.no_grad():
        expected = theirs(torch.tensor((images / 127.5 - 1).transpose(0, 3, 1, 2))).logits
    np.testing.assert_allclose(model(images), expected, atol=1e-4, rtol=0)

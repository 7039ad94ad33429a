"""Vision Transformer: the network, and weights of Hugging Face."""

import json

import keras
import numpy as np
import pytest
from safetensors.numpy import save_file

from apps.vision.backbones import build_backbone, classification_head, load_head_weights
from shared.common.errors import KerasuiteError
from shared.layers import PatchTokens
from shared.testing.layer_test import run_layer_test
from tests.in_process import run_command

SIDE, DIM, LAYERS, HEADS = 32, 192, 12, 3
CONFIG = {
    "model_type": "vit",
    "hidden_size": DIM,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": 4 * DIM,
    "image_size": SIDE,
    "patch_size": 16,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "qkv_bias": True,
}


def vit_tensors(classes=5, positions=5):
    generator, found = np.random.default_rng(0), {}

    def add(name, *shape, scale=0.05, center=0.0):
        found[name] = (center + scale * generator.normal(size=shape)).astype(np.float32)

    def dense(name, inputs, outputs):
        add(f"{name}.weight", outputs, inputs)
        add(f"{name}.bias", outputs)

    def norm(name):
        add(f"{name}.weight", DIM, center=1.0, scale=0.2)
        add(f"{name}.bias", DIM)

    add("vit.embeddings.cls_token", 1, 1, DIM, scale=1.0)
    add("vit.embeddings.position_embeddings", 1, positions, DIM, scale=1.0)
    add("vit.embeddings.patch_embeddings.projection.weight", DIM, 3, 16, 16)
    add("vit.embeddings.patch_embeddings.projection.bias", DIM)
    for index in range(LAYERS):
        layer = f"vit.encoder.layer.{index}"
        for part in ("query", "key", "value"):
            dense(f"{layer}.attention.attention.{part}", DIM, DIM)
        dense(f"{layer}.attention.output.dense", DIM, DIM)
        dense(f"{layer}.intermediate.dense", DIM, 4 * DIM)
        dense(f"{layer}.output.dense", 4 * DIM, DIM)
        norm(f"{layer}.layernorm_before")
        norm(f"{layer}.layernorm_after")
    norm("vit.layernorm")
    dense("classifier", DIM, classes)
    return found


def write_vit(folder, tensors=None, mean=0.5, **changes):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG | changes))
    images = {"image_mean": [mean] * 3, "image_std": [0.5] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(images))
    save_file(tensors or vit_tensors(), folder / "model.safetensors", {"format": "pt"})
    return folder


def classifier(weights, side=SIDE, classes=5):
    backbone = build_backbone("vit_tiny16", (side, side, 3), weights=str(weights))
    model = keras.Model(backbone.input, classification_head(backbone.output, classes))
    return model, load_head_weights(model, "vit_tiny16", str(weights))


def test_the_tokens_of_patches():
    layer = PatchTokens()
    inputs = np.arange(2 * 2 * 3 * 4, dtype=np.float32).reshape(2, 2, 3, 4)
    layer.build(inputs.shape)
    generator = np.random.default_rng(0)
    for weight in layer.weights:
        weight.assign(generator.normal(size=weight.shape))
    found = layer(inputs)
    token, positions = layer.class_token, layer.positions
    np.testing.assert_allclose(found[1, 0], token[0, 0] + positions[0, 0], rtol=1e-6)
    np.testing.assert_allclose(found[1, 5], inputs[1, 1, 1] + positions[0, 5], rtol=1e-6)
    assert layer.compute_output_shape((None, 2, 3, 4)) == (None, 7, 4) and found.shape == (2, 7, 4)
    run_layer_test(PatchTokens, {}, (2, 2, 3, 4), (2, 7, 4))
    with pytest.raises(ValueError, match="the image size must be fixed"):
        PatchTokens().build((None, None, 3, 4))


def test_another_image_size_has_other_positions(tmp_path):
    write_vit(tmp_path / "in")
    small, loaded = classifier(tmp_path / "in")
    large, _ = classifier(tmp_path / "in", side=64, classes=4)
    assert loaded == ["predictions"]
    ours, theirs = (model.get_layer("patch_tokens").positions[0] for model in (large, small))
    assert ours.shape == (17, DIM) and theirs.shape == (5, DIM)
    np.testing.assert_array_equal(ours[0], theirs[0])
    # The mean over all patches stays about the same.
    np.testing.assert_allclose(np.mean(ours[1:], 0), np.mean(theirs[1:], 0), atol=0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_hidden_layers": 6}, "are not of vit_tiny16, as num_hidden_layers is 6 there and 12"),
        ({"model_type": "deit"}, "as model_type is deit there and vit here"),
        ({"mean": 0.4}, "expect images of mean (0.4, 0.4, 0.4) and deviation (0.5, 0.5, 0.5), but"),
    ],
)
def test_others_are_refused(tmp_path, options, message):
    write_vit(tmp_path / "in", {"x": np.zeros(1, np.float32)}, **options)
    with pytest.raises(KerasuiteError) as error:
        build_backbone("vit_tiny16", (SIDE, SIDE, 3), weights=str(tmp_path / "in"))
    assert message in str(error.value)


def test_what_it_cannot_do():
    with pytest.raises(KerasuiteError, match="one image size"):
        build_backbone("vit_tiny16", (None, None, 3))
    with pytest.raises(KerasuiteError, match="--weight-decay for ViT"):
        build_backbone("vit_tiny16", (32, 32, 3), kernel_regularizer="l2")
    with pytest.raises(KerasuiteError, match="too small for vit_base32: use at least 32"):
        build_backbone("vit_base32", (16, 32, 3))


@pytest.mark.slow
def test_it_is_trained_and_exported(tmp_path):
    assert run_command("samples", "digits", tmp_path / "digits").returncode == 0
    done = run_command(
        "classify", "train", tmp_path / "digits", "--backbone", "vit_tiny16", "--image-size", 32,
        "--batch-size", 256, "--epochs", 1, "--output", tmp_path / "run",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    done = run_command("classify", "export", tmp_path / "run", "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr

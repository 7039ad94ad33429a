"""Published weights of PyTorch: of timm, torchvision's among them, and ViT's of Hugging Face.

A folder holds config.json, with the network's name and the images that it expects, and
model.safetensors, with tensors under the names that torchvision gave them.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from apps.vision.backbones import vit_weights
from apps.vision.backbones.heads import HEAD_LAYERS
from apps.vision.backbones.vgg import BLOCKS
from shared.common import safetensors_files as safetensors
from shared.common.checkpoint_folders import CONFIG, checkpoint_folder
from shared.common.checkpoint_tensors import LazyTensors, checked_tensor
from shared.common.errors import KerasuiteError
from shared.common.files import read_json_object
from shared.common.hugging_face_hub import PREFIX
from shared.layers import ConvNormActivation, ImageNormalization
from shared.layers.residual_block import ResidualBlock

PREPROCESSING = "preprocessor_config.json"
FILES = (CONFIG, PREPROCESSING, *safetensors.FILES)
# Mode of ImageNormalization to the mean and the standard deviation of levels from 0 to 1.
STATISTICS = {
    "torch": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "tf": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}
# Of PyTorch's batch normalisation.
EPSILON = 1e-5
SUFFIX = "_torch"


def is_torch(weights: str) -> bool:
    """Whether a value of --weights names such a folder."""
    return weights.startswith(PREFIX) or Path(weights).is_dir()


def load_torch_weights(backbone: keras.Model, architecture: str, weights: str) -> None:
    """Loads all weights of a backbone.

    Args:
        backbone: keras.Model, from `build_backbone(architecture, ...)`.
        architecture: str. Name in the registry, in lower case.
        weights: str. "hf:ORG/NAME[@REVISION]" or a folder.

    Raises:
        KerasuiteError: if they cannot be read, or are of another network.
    """
    tensors = _read(backbone, architecture, weights)
    if architecture.startswith(vit_weights.PREFIX):
        vit_weights.load(backbone, tensors, weights)
        return
    # Of the convolution before a normalisation, where it has one there and none here.
    bias: np.ndarray | float = 0.0
    for name, layer in _layers(backbone):
        if isinstance(layer, keras.layers.BatchNormalization):
            _load_normalization(tensors, name, layer, weights)
            layer.moving_mean.assign(layer.moving_mean - bias)
        else:
            bias = _load_kernel(tensors, name, layer, weights)


def torch_head(backbone: keras.Model, architecture: str, weights: str) -> dict[str, Any]:
    """Kernel and bias of each layer of the classifier, by our names of the layers.

    Args:
        backbone, architecture, weights: see `load_torch_weights`.
    """
    tensors = _read(backbone, architecture, weights)
    if "head.fc.weight" in tensors:
        names = dict(zip(HEAD_LAYERS, ("pre_logits.fc1", "pre_logits.fc2", "head.fc"), strict=True))
    else:
        name = vit_weights.CLASSIFIER if architecture.startswith(vit_weights.PREFIX) else "fc"
        names = {HEAD_LAYERS[-1]: name}
    found = {}
    for ours, theirs in names.items():
        if f"{theirs}.weight" not in tensors:
            return found
        kernel = tensors[f"{theirs}.weight"]
        if kernel.ndim == 4:  # A dense layer as a convolution over the whole feature map.
            kernel = kernel.transpose(0, 2, 3, 1)
        found[ours] = [kernel.reshape(len(kernel), -1).T, tensors[f"{theirs}.bias"]]
    return found


def _read(backbone: keras.Model, architecture: str, weights: str) -> Mapping[str, np.ndarray]:
    folder = checkpoint_folder(weights, FILES)
    values = read_json_object(folder / CONFIG)
    if architecture.startswith(vit_weights.PREFIX):
        vit_weights.check(backbone, architecture, weights, values)
        path = folder / PREPROCESSING
        seen = read_json_object(path) if path.is_file() else {}
        values = {name: seen.get(f"image_{name}") for name in ("mean", "std")}
        _check_images(backbone, architecture, weights, values)
        return LazyTensors(safetensors.read_tensors(folder))
    theirs = values.get("architecture")
    if theirs != architecture.removesuffix(SUFFIX):
        raise KerasuiteError(
            f"--weights {weights}: are of {theirs or 'a network that is not named'}, not of "
            f"{architecture}; choose weights of {architecture.removesuffix(SUFFIX)}, or its network"
        )
    _check_images(backbone, architecture, weights, values)
    return LazyTensors(safetensors.read_tensors(folder))


def _check_images(
    backbone: keras.Model, architecture: str, weights: str, values: Mapping[str, Any]
) -> None:
    """Raises KerasuiteError where the network normalises images otherwise than in its training."""
    (mode,) = {layer.mode for layer in backbone.layers if isinstance(layer, ImageNormalization)}
    given = values.get("pretrained_cfg")
    given = given if isinstance(given, dict) else values
    expected = STATISTICS.get(mode)
    found = tuple(tuple(given.get(name) or ()) for name in ("mean", "std"))
    if expected is None:
        raise KerasuiteError(
            f"--weights {weights}: are for --backbone {architecture}{SUFFIX}, which has its "
            f"strides and images as PyTorch; {architecture} has them as Keras"
        )
    if any(found) and found != expected:
        raise KerasuiteError(
            f"--weights {weights}: expect images of mean {found[0]} and deviation {found[1]}, but "
            f"{architecture} makes them {expected[0]} and {expected[1]}; choose other weights"
        )


# === Names ===


def _layers(backbone: keras.Model) -> Iterator[tuple[str, keras.layers.Layer]]:
    """Their names of our innermost layers."""
    if any(isinstance(layer, ResidualBlock) for layer in backbone.layers):
        yield from _resnet_layers(backbone)
    elif backbone.name.startswith("vgg"):
        yield from _vgg_layers(backbone)
    else:
        raise KerasuiteError(f"{backbone.name}: no weights of timm are known for it")


def _resnet_layers(backbone: keras.Model) -> Iterator[tuple[str, keras.layers.Layer]]:
    stem = backbone.get_layer("conv1")
    yield "conv1", stem.convolution
    yield "bn1", stem.normalization
    for block in backbone.layers:
        if not isinstance(block, ResidualBlock):
            continue
        # conv2_block1 is the first block of the first stage.
        stage, number = block.name.removeprefix("conv").split("_block")
        name = f"layer{int(stage) - 1}.{int(number) - 1}"
        for index, part in enumerate(block.branch, start=1):
            yield f"{name}.conv{index}", part.convolution
            yield f"{name}.bn{index}", part.normalization
        if block.shortcut is not None:
            yield f"{name}.downsample.0", block.shortcut.convolution
            yield f"{name}.downsample.1", block.shortcut.normalization


def _vgg_layers(backbone: keras.Model) -> Iterator[tuple[str, keras.layers.Layer]]:
    """Their layers are numbered one by one, activations and poolings too."""
    layers = [layer for layer in backbone.layers if isinstance(layer, ConvNormActivation)]
    (blocks,) = [blocks for blocks in BLOCKS.values() if sum(blocks) == len(layers)]
    number, rest = 0, iter(layers)
    for convolutions in blocks:
        for _ in range(convolutions):
            layer = next(rest)
            yield f"features.{number}", layer.convolution
            if layer.batch_norm:
                yield f"features.{number + 1}", layer.normalization
            number += 3 if layer.batch_norm else 2
        number += 1


# === Values ===


def _load_kernel(tensors, name: str, layer: keras.layers.Conv2D, source: str) -> np.ndarray | float:
    """Loads a convolution; returns its bias there if it has none here."""
    height, width, inputs, outputs = layer.kernel.shape
    shape = (outputs, inputs, height, width)
    kernel = checked_tensor(tensors, f"{name}.weight", shape, source)
    layer.kernel.assign(kernel.transpose(2, 3, 1, 0))
    if not layer.use_bias and f"{name}.bias" not in tensors:
        return 0.0
    bias = checked_tensor(tensors, f"{name}.bias", (outputs,), source)
    if not layer.use_bias:
        return bias
    layer.bias.assign(bias)
    return 0.0


def _load_normalization(
    tensors, name: str, layer: keras.layers.BatchNormalization, source: str
) -> None:
    def read(part: str) -> np.ndarray:
        return checked_tensor(tensors, f"{name}.{part}", layer.gamma.shape, source)

    layer.gamma.assign(read("weight"))
    layer.beta.assign(read("bias"))
    layer.moving_mean.assign(read("running_mean"))
    # Ours adds another epsilon to the variance.
    layer.moving_variance.assign(read("running_var") + (EPSILON - layer.epsilon))

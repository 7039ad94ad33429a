"""Weights of Vision Transformers in folders of Hugging Face."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from shared.common.checkpoint_tensors import checked_tensor
from shared.common.errors import KerasuiteError

PREFIX = "vit_"
CLASSIFIER = "classifier"
# Ours within a block to theirs. They have (out, in) matrices, which stand side by side here where
# several are named.
BLOCK = {
    "attention_norm": ("layernorm_before",),
    "attention/query_key_value": tuple(
        f"attention.attention.{part}" for part in ("query", "key", "value")
    ),
    "attention/output": ("attention.output.dense",),
    "feed_forward_norm": ("layernorm_after",),
    "feed_forward/expand": ("intermediate.dense",),
    "feed_forward/reduce": ("output.dense",),
}
KINDS = {"kernel": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}


def check(
    backbone: keras.Model, architecture: str, weights: str, values: Mapping[str, Any]
) -> None:
    """Raises KerasuiteError if a config.json is not of this network.

    Args:
        backbone: the network.
        architecture: its name.
        weights: name of the folder in messages.
        values: content of config.json.
    """
    patches = backbone.get_layer("patch_embedding")
    ours = {
        "model_type": "vit",
        "hidden_size": patches.filters,
        "patch_size": patches.kernel_size[0],
        "num_hidden_layers": sum(_is_block(layer) for layer in backbone.layers),
        "num_attention_heads": backbone.get_layer("block_0").num_heads,
        "hidden_act": "gelu",
        "qkv_bias": True,
    }
    defaults = {"patch_size": 16, "hidden_act": "gelu", "qkv_bias": True}
    for name, value in ours.items():
        if values.get(name, defaults.get(name)) != value:
            raise KerasuiteError(
                f"--weights {weights}: are not of {architecture}, as {name} is "
                f"{values.get(name)} there and {value} here; choose the network that they are from"
            )


def load(backbone: keras.Model, tensors: Mapping[str, np.ndarray], source: str) -> None:
    """Loads all weights of a backbone.

    Positions of another number of patches are interpolated, as in section 3.2 of the paper.

    Args:
        backbone: the network.
        tensors: by their names.
        source: name of the folder in messages.
    """

    def read(name: str, shape: tuple[int, ...]) -> np.ndarray:
        return checked_tensor(tensors, f"vit.{name}", shape, source)

    embedding, tokens = backbone.get_layer("patch_embedding"), backbone.get_layer("patch_tokens")
    height, width, channels, dim = embedding.kernel.shape
    projection = "embeddings.patch_embeddings.projection"
    kernel = read(f"{projection}.weight", (dim, channels, height, width))
    embedding.kernel.assign(kernel.transpose(2, 3, 1, 0))
    embedding.bias.assign(read(f"{projection}.bias", (dim,)))
    tokens.class_token.assign(read("embeddings.cls_token", (1, 1, dim)))
    tokens.positions.assign(_positions(tensors, embedding.output.shape[1:3], dim, source))
    for block in filter(_is_block, backbone.layers):
        variables = {
            variable.path.split(f"{block.name}/")[-1]: variable for variable in block.weights
        }
        for ours, theirs in BLOCK.items():
            for kind in ("gamma", "beta") if ours.endswith("norm") else ("kernel", "bias"):
                variable = variables[f"{ours}/{kind}"]
                shape = (*variable.shape[:-1], variable.shape[-1] // len(theirs))[::-1]
                number = block.name.removeprefix("block_")
                names = [f"encoder.layer.{number}.{name}.{KINDS[kind]}" for name in theirs]
                parts = [read(name, shape).T for name in names]
                variable.assign(np.concatenate(parts, axis=-1))
    norm = backbone.get_layer("norm")
    norm.gamma.assign(read("layernorm.weight", (dim,)))
    norm.beta.assign(read("layernorm.bias", (dim,)))


def _is_block(layer: keras.layers.Layer) -> bool:
    return layer.name.startswith("block_")


def _positions(
    tensors: Mapping[str, np.ndarray], grid: tuple[int, int], dim: int, source: str
) -> np.ndarray:
    name = "vit.embeddings.position_embeddings"
    count = tensors[name].shape[1] if name in tensors else 0
    found = checked_tensor(tensors, name, (1, count, dim), source)
    if count == 1 + grid[0] * grid[1]:
        return found
    side = round((count - 1) ** 0.5)
    if side * side != count - 1:
        raise KerasuiteError(f"{source}: its {count - 1} patches are no square; give another")
    patches = found[:, 1:].reshape(1, side, side, dim)
    patches = np.asarray(ops.image.resize(patches, grid, interpolation="bicubic"))
    return np.concatenate([found[:, :1], patches.reshape(1, -1, dim)], axis=1)

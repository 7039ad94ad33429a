"""Batch normalisation folded into the convolutions before it, for inference.

    gamma (w * x + b - mean) / sqrt(variance + epsilon) + beta
        = (s w) * x + s (b - mean) + beta,    s = gamma / sqrt(variance + epsilon)

One addition is left of it, and no intermediate result goes to memory and back.

Reference: [Ioffe and Szegedy, 2015](https://arxiv.org/abs/1502.03167), section 3.1
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

Config = dict[str, Any]
# Where the last axes of a kernel are the channels of the output.
KERNELS = {
    keras.layers.Conv2D: "kernel",
    keras.layers.DepthwiseConv2D: "kernel",
    keras.layers.SeparableConv2D: "pointwise_kernel",
}


def fold_batch_norm(model: keras.Model, dtype: str | None = None) -> keras.Model:
    """A model for inference that gives the same outputs with less arithmetic.

    Folded are the layers of this suite that normalise their own convolutions (those with
    `batch_norm` in their configuration), and in the graph each `BatchNormalization` whose input is
    a convolution that nothing else uses. All others stay as they are.

    Args:
        model: functional, or of a class that is made like one.
        dtype: str or None. Precision of all layers; None: their own.

    Returns:
        A new model of the same class, with weights of its own.
    """
    layers = {layer.name: layer for layer in model.layers}
    config = model.get_config()
    pairs = _pairs(config, layers)
    for entry in config["layers"]:
        if dtype is not None:
            _set_policies(entry["config"], dtype)
        if entry["name"] in pairs:
            entry["config"]["use_bias"] = True
        elif entry["name"] in pairs.values():
            _become_identity(entry)
        elif _normalises(layers.get(entry["name"])):
            options = {"batch_norm": False, "use_bias": True}
            entry["config"] |= {name: options[name] for name in options.keys() & entry["config"]}
    folded = type(model).from_config(config)
    for layer in folded.layers:
        if layer.name not in pairs.values():
            _copy_weights(layers[layer.name], layer, layers.get(pairs.get(layer.name)))
    return folded


def _pairs(config: Config, layers: Mapping[str, keras.Layer]) -> dict[str, str]:
    """The name of each convolution in the graph to that of the normalisation of its output."""
    uses = Counter(_names(config["output_layers"]))
    inputs = {}
    for entry in config["layers"]:
        names = list(_inputs(entry["inbound_nodes"]))
        uses.update(names)
        if len(entry["inbound_nodes"]) == len(names) == 1:
            inputs[entry["name"]] = names[0]
    return {
        source: name
        for name, source in inputs.items()
        if _is_batch_norm(layers.get(name))
        and _is_linear_convolution(layers.get(source))
        and source in inputs  # It is called once as well.
        and uses[source] == 1
    }


def _names(structure: Any) -> Iterator[str]:
    """The names in the outputs of a configuration, [name, node, tensor] each."""
    if isinstance(structure, str):
        yield structure
    elif isinstance(structure, Mapping):
        for value in structure.values():
            yield from _names(value)
    elif isinstance(structure, (list, tuple)):
        for value in structure:
            yield from _names(value)


def _inputs(structure: Any) -> Iterator[str]:
    """The names of the layers whose outputs are arguments of a layer's calls."""
    if isinstance(structure, Mapping):
        if structure.get("class_name") == "__keras_tensor__":
            yield structure["config"]["keras_history"][0]
            return
        structure = list(structure.values())
    if isinstance(structure, (list, tuple)):
        for value in structure:
            yield from _inputs(value)


def _is_batch_norm(layer: keras.Layer | None) -> bool:
    return type(layer) is keras.layers.BatchNormalization and layer.axis in (-1, 3)


def _is_linear_convolution(layer: keras.Layer | None) -> bool:
    return (
        type(layer) in KERNELS
        and layer.activation is keras.activations.linear
        and layer.data_format == "channels_last"
    )


def _normalises(layer: keras.Layer | None) -> bool:
    return getattr(layer, "batch_norm", False)


def _become_identity(entry: Config) -> None:
    kept = {key: entry["config"][key] for key in ("name", "dtype") if key in entry["config"]}
    entry |= {
        "module": "keras.layers",
        "class_name": "Identity",
        "registered_name": None,
        "config": kept,
    }
    entry["inbound_nodes"][0]["kwargs"] = {}


def _set_policies(structure: Any, dtype: str) -> None:
    """Gives every layer in a configuration another precision."""
    if isinstance(structure, Mapping):
        if structure.get("class_name") == "DTypePolicy":
            structure["config"]["name"] = dtype
        for value in structure.values():
            _set_policies(value, dtype)
    elif isinstance(structure, (list, tuple)):
        for value in structure:
            _set_policies(value, dtype)


def _copy_weights(source: keras.Layer, target: keras.Layer, norm: keras.Layer | None) -> None:
    """Copies the weights of a layer, folded with those of the normalisation of its output."""
    if norm is not None:
        kernel = KERNELS[type(source)]
        values = {weight.name: _array(weight) for weight in source.weights}
        statistics = {weight.name: _array(weight) for weight in norm.weights}
        values[kernel], values["bias"] = _folded(
            values[kernel], values.get("bias"), statistics, norm.epsilon
        )
        for weight in target.weights:
            weight.assign(values[weight.name])
    elif _normalises(source):
        values = _folded_by_path(source)
        for weight in target.weights:
            weight.assign(values[_path_in(weight, target)])
    else:
        target.set_weights(source.get_weights())


def _folded_by_path(layer: keras.Layer) -> dict[str, np.ndarray]:
    """The weights of a layer made of `ConvNormActivation`, each folded."""
    values = {_path_in(weight, layer): _array(weight) for weight in layer.weights}
    for path in [path for path in values if path.endswith("normalization/gamma")]:
        block = path.removesuffix("normalization/gamma")
        kernel, bias = (f"{block}convolution/{name}" for name in ("kernel", "bias"))
        start = f"{block}normalization/"
        statistics = {
            path.removeprefix(start): value
            for path, value in values.items()
            if path.startswith(start)
        }
        values[kernel], values[bias] = _folded(
            values[kernel], values.get(bias), statistics, layer.epsilon
        )
    return values


def _path_in(weight: keras.Variable, layer: keras.Layer) -> str:
    """The path of a weight below its layer."""
    return f"/{weight.path}".partition(f"/{layer.name}/")[2]


def _folded(
    kernel: np.ndarray,
    bias: np.ndarray | None,
    statistics: Mapping[str, np.ndarray],
    epsilon: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of the equation above, computed in float64.

    Args:
        kernel: (..., outputs), or (..., inputs, outputs of each) of a depthwise convolution.
        bias: (outputs,), or None for zeros.
        statistics: "moving_mean", "moving_variance" and, where there are, "gamma" and "beta".
        epsilon: float. Added to the variance.
    """
    scale = statistics.get("gamma", 1.0) / np.sqrt(statistics["moving_variance"] + epsilon)
    shift = (0.0 if bias is None else bias) - statistics["moving_mean"]
    channel_axes = 1 if kernel.shape[-1] == scale.size else 2
    by_channel = scale.reshape(kernel.shape[-channel_axes:])
    return kernel * by_channel, scale * shift + statistics.get("beta", 0.0)


def _array(weight: keras.Variable) -> np.ndarray:
    return keras.ops.convert_to_numpy(weight).astype(np.float64)

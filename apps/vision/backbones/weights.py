"""Published and own weights for our networks: `--weights imagenet|hf:ORG/NAME|PATH`.

keras.applications itself downloads and reads its files, of whatever format, into its own network;
the weights then move layer by layer into ours.
"""

from pathlib import Path

import h5py
import keras

from apps.vision.backbone_names import PREFIX
from apps.vision.backbones.heads import HEAD_LAYERS
from apps.vision.backbones.keras_applications import APPLICATIONS, load_published
from apps.vision.backbones.torch_weights import is_torch, load_torch_weights, torch_head
from shared.common.errors import KerasuiteError
from shared.layers import ConvNormActivation, ImageNormalization
from shared.layers.residual_block import ResidualBlock

# Ours of which keras.applications has the same network, with published weights.
TWINS = ("vgg16", "vgg19", "resnet50", "resnet101")


def load_backbone_weights(backbone: keras.Model, architecture: str, weights: str) -> None:
    """Loads all weights of a backbone.

    Args:
        backbone: keras.Model, from `build_backbone(architecture, ...)`.
        architecture: str. Name in the registry, in lower case.
        weights: str. `"none"` leaves the backbone as it is; `"imagenet"` lets Keras download what
            is published, once; "hf:ORG/NAME" or a folder are weights of timm, see
            `torch_weights`; otherwise the path of a `.h5` or `.weights.h5` file of
            keras.applications (with or without classifier), or of a `.keras` or `.weights.h5` file
            of this suite that holds the same backbone (with or without a classifier).

    Raises:
        KerasuiteError: if the file is missing, unreadable or of another architecture, if the
            download fails, or if nothing is published for the architecture.
    """
    if weights == "none":
        return
    if is_torch(weights):
        load_torch_weights(backbone, architecture, weights)
        return
    if weights == "imagenet":
        reference = _read_published(architecture, include_top=False)
        _copy_by_name(reference, backbone, f"--weights {weights}", architecture)
        return
    path = _existing(weights)
    if path.suffix == ".keras":
        _copy(_in_order(_read_own_model(path), backbone), path, architecture)
    elif _is_own_weights_file(path):
        _load_own_weights_file(backbone, path, architecture)
    else:
        reference = _read_application_file(path, architecture)
        if architecture in TWINS:
            _copy_by_name(reference, backbone, path, architecture)
        else:
            _copy(_in_order(reference, backbone), path, architecture)


def load_head_weights(model: keras.Model, architecture: str, weights: str) -> list[str]:
    """Loads what fits of a classifier: from the first dense layer on, as far as shapes agree.

    Args:
        model: keras.Model. Backbone and `classification_head` in one functional model.
        architecture: str. Name in the registry.
        weights: str. As for `load_backbone_weights`. A file without classifier, or a
            `.weights.h5` of this suite (it names no layers), has nothing to load.

    Returns:
        list of the names of the layers that were loaded; empty if none fits, so that a new task
        simply starts with a new classifier.

    Raises:
        KerasuiteError: if the file is missing or unreadable, or the download fails.
    """
    architecture = architecture.lower()
    heads = {layer.name: layer for layer in model.layers if layer.name in HEAD_LAYERS}
    if weights == "none" or not heads or not _may_hold_head(heads, architecture, weights):
        return []
    if is_torch(weights):
        values = torch_head(model, architecture, weights)
    else:
        source = _head_source(architecture, weights)
        layers = _layers_with_weights(source) if source else []
        values = {layer.name: layer.get_weights() for layer in layers}
    loaded = []
    for name, layer in heads.items():
        if [value.shape for value in values.get(name, ())] != _shapes(layer):
            break
        layer.set_weights(values[name])
        loaded.append(name)
    return loaded


def _head_source(architecture, weights) -> keras.Model | None:
    """A model with named layers, the classifier's among them; None if the file has none."""
    if weights == "imagenet":
        return _read_published(architecture, include_top=True)
    path = _existing(weights)
    if path.suffix == ".keras":
        return _read_own_model(path)
    if _is_own_weights_file(path):
        return None
    return _read_application_file(path, architecture, with_top=True)


def _may_hold_head(heads, architecture, weights):
    """Whether the published classifier may fit; otherwise its download (VGG: 0.5 GB) is spared."""
    if weights != "imagenet":
        return True
    published_input = {"vgg16": 7 * 7 * 512, "vgg19": 7 * 7 * 512}.get(architecture, 2048)
    first = next(iter(heads.values()))
    published_units = 4096 if first.name == "fc1" else 1000
    return architecture in TWINS and first.kernel.shape == (published_input, published_units)


def _read_published(architecture, include_top) -> keras.Model:
    """The network that is published for one of ours, with its weights."""
    if architecture not in TWINS:
        raise KerasuiteError(
            f"--weights imagenet: none are published for {architecture}; choose "
            f"{', '.join(TWINS)} or a keras.applications network, or --weights none"
        )
    return load_published(APPLICATIONS[architecture], include_top)


def _existing(weights) -> Path:
    """The path of a weights file."""
    path = Path(weights)
    if not path.is_file():
        raise KerasuiteError(
            f"--weights {weights}: no such file; give none, imagenet, hf:ORG/NAME or the path of a "
            f"weights file"
        )
    if path.suffix not in (".h5", ".keras"):
        raise KerasuiteError(f"{path}: weights are read from .h5, .weights.h5 and .keras files")
    return path


def _read_own_model(path) -> keras.Model:
    try:
        return keras.saving.load_model(path, safe_mode=True, compile=False)
    except Exception as error:  # Keras and zipfile raise a dozen types for a damaged file.
        raise KerasuiteError(
            f"{path}: not a readable model of kerasuite ({_one_line(error)})"
        ) from error


def _is_own_weights_file(path) -> bool:
    """Whether this suite wrote the file: all its image networks begin with ImageNormalization."""
    try:
        with h5py.File(path) as file:
            return "layers/image_normalization" in file
    except OSError as error:
        raise KerasuiteError(
            f"{path}: not a readable HDF5 file ({_one_line(error)}); it may be incomplete, "
            "download or copy it again"
        ) from error


def _load_own_weights_file(backbone, path, architecture):
    try:
        backbone.load_weights(path)  # It finds the backbone in a larger model's file, too.
    except (ValueError, KeyError, OSError) as error:
        raise _misfit(path, architecture, _one_line(error)) from error


def _read_application_file(path, architecture, with_top: bool | None = None):
    """The network of keras.applications with the file's weights.

    Args:
        path: of an HDF5 file.
        architecture: str. Name of the network, or of ours that has a twin.
        with_top: bool or None. None: accept a file with or without classifier.

    Returns:
        keras.Model; None if a classifier was asked for and the file has none.
    """
    application = APPLICATIONS.get(architecture.removeprefix(PREFIX))
    if application is None:
        raise KerasuiteError(
            f"{path}: keras.applications has no network like {architecture}; give a .keras or "
            ".weights.h5 file that kerasuite wrote"
        )
    reason = None
    for include_top in (False, True) if with_top is None else (with_top,):
        reference = application.build(weights=None, include_top=include_top)
        try:
            reference.load_weights(path)
            return reference
        except (ValueError, KeyError, OSError) as error:
            reason = reason or error
    if with_top:
        return None
    raise _misfit(path, architecture, _one_line(reason)) from reason


def _copy_by_name(reference, backbone, source, architecture):
    """Copies from the layers of keras.applications into ours of the same name."""
    for layer in backbone.layers:
        if isinstance(layer, ImageNormalization) and layer.mode != "caffe":
            raise KerasuiteError(
                f"{source}: these weights expect normalization caffe, not {layer.mode}; leave the "
                "option away"
            )
    sources = {layer.name: layer for layer in _layers_with_weights(reference)}
    pairs = [(sources.get(name), layer) for name, layer in _published_names(backbone).items()]
    _copy(pairs, source, architecture)


def _published_names(backbone) -> dict[str, keras.layers.Layer]:
    """Our innermost layers under their names in keras.applications."""
    names = {}
    for layer in backbone.layers:
        if isinstance(layer, ResidualBlock):
            for number, convolution in enumerate([layer.shortcut, *layer.branch]):
                if convolution is not None:
                    names[f"{layer.name}_{number}_conv"] = convolution.convolution
                    names[f"{layer.name}_{number}_bn"] = convolution.normalization
        elif isinstance(layer, ConvNormActivation) and layer.batch_norm:
            names[f"{layer.name}_conv"] = layer.convolution
            names[f"{layer.name}_bn"] = layer.normalization
        elif isinstance(layer, ConvNormActivation):
            names[layer.name] = layer.convolution
    return names


def _in_order(source, backbone):
    """Pairs (layer, our layer) of the same position; a classifier at the end is left out."""
    sources = [layer for layer in _layers_with_weights(source) if layer.name not in HEAD_LAYERS]
    targets = _layers_with_weights(backbone)
    sources += [None] * (len(targets) - len(sources))
    return list(zip(sources, targets, strict=False))


def _layers_with_weights(model):
    layers = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            layers += _layers_with_weights(layer)
        elif layer.weights:
            layers.append(layer)
    return layers


def _copy(pairs, path, architecture):
    """Copies weights between pairs of layers, after making sure that all of them fit."""
    for source, target in pairs:
        if source is None or _shapes(source) != _shapes(target):
            found = "nothing" if source is None else f"{source.name} with {_shapes(source)}"
            detail = f"for {target.path} {_shapes(target)} it holds {found}"
            raise _misfit(path, architecture, detail)
    for source, target in pairs:
        target.set_weights(source.get_weights())


def _shapes(layer):
    return [tuple(weight.shape) for weight in layer.weights]


def _misfit(path, architecture, detail):
    return KerasuiteError(
        f"{path}: these weights do not fit {architecture}: {detail}; choose the network that they "
        "are from, with its own width and stem"
    )


def _one_line(error):
    return " ".join(str(error).split())

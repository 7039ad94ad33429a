"""All backbones by name: `build_backbone("resnet18", (64, 64, 3), small_stem=True)`."""

import dataclasses
import functools
from collections.abc import Callable

import keras

from apps.vision.backbone_names import PREFIX, refuse_unknown_backbone
from apps.vision.backbones import alexnet, resnet, vgg, vit
from apps.vision.backbones.keras_applications import (
    APPLICATIONS,
    Application,
    build_application,
)
from apps.vision.backbones.weights import load_backbone_weights
from shared.common.errors import KerasuiteError


@dataclasses.dataclass(frozen=True)
class Backbone:
    """A network of ours: its builder, its options and the sizes of its images."""

    build: Callable[..., keras.Model]
    options: tuple[str, ...]  # those that not all networks have
    min_size: int
    min_size_small_stem: int | None = None
    head: str = "pool"  # the paper's own classifier
    size: int = 224


def _alexnet(**fixed):
    return Backbone(
        functools.partial(alexnet.build_alexnet, **fixed),
        options=("small_stem",),
        min_size=alexnet.MIN_SIZE,
        min_size_small_stem=alexnet.MIN_SIZE_SMALL_STEM,
        head="classic",
    )


def _vgg(depth, **fixed):
    return Backbone(
        functools.partial(vgg.build_vgg, depth=depth, **fixed),
        options=("width",),
        min_size=vgg.MIN_SIZE,
        head="classic",
    )


def _resnet(depth, **fixed):
    return Backbone(
        functools.partial(resnet.build_resnet, depth=depth, **fixed),
        options=("small_stem", "width", "drop_path"),
        min_size=resnet.MIN_SIZE,
        min_size_small_stem=resnet.MIN_SIZE_SMALL_STEM,
    )


def _vit(size, patch=vit.PATCH):
    return Backbone(
        functools.partial(vit.build_vit, size=size, patch=patch), options=(), min_size=patch
    )


# Where keras.applications has the same network, ours matches it to the last weight: with its
# "caffe" normalisation and, in ResNet, with biases.
BACKBONES = {
    "alexnet": _alexnet(),
    "alexnet_bn": _alexnet(batch_norm=True),
    "vgg11": _vgg(11),
    "vgg11_bn": _vgg(11, batch_norm=True),
    "vgg13": _vgg(13),
    "vgg13_bn": _vgg(13, batch_norm=True),
    "vgg16": _vgg(16, normalization="caffe"),
    "vgg16_bn": _vgg(16, batch_norm=True),
    "vgg19": _vgg(19, normalization="caffe"),
    "vgg19_bn": _vgg(19, batch_norm=True),
    "resnet18": _resnet(18),
    "resnet34": _resnet(34),
    "resnet50": _resnet(50, normalization="caffe", use_bias=True),
    "resnet101": _resnet(101, normalization="caffe", use_bias=True),
    # Where PyTorch has another network of the same name than keras.applications.
    "vgg16_torch": _vgg(16),
    "vgg19_torch": _vgg(19),
    "resnet50_torch": _resnet(50, stride_in="middle"),
    "resnet101_torch": _resnet(101, stride_in="middle"),
    "resnet152_torch": _resnet(152, stride_in="middle"),
    # One feature for the whole image, and so for classification alone.
    "vit_tiny16": _vit("tiny"),
    "vit_base16": _vit("base"),
    "vit_base32": _vit("base", 32),
    "vit_large16": _vit("large"),
}


def build_backbone(
    name: str,
    input_shape=(224, 224, 3),
    *,
    weights: str = "none",
    small_stem: bool = False,
    width: int | None = None,
    drop_path: float = 0.0,
    normalization: str | None = None,
    kernel_regularizer=None,
    synchronized_batch_norm: bool = False,
) -> keras.Model:
    """Builds the convolutional part of a network, from raw images to a feature map.

    Args:
        name: str. A name in `BACKBONES`, or any network of keras.applications, with or (where
            both exist) necessarily with the prefix: `"resnet50"` is ours, `"keras:ResNet50"`
            theirs. Upper and lower case are the same.
        input_shape: (H, W, 3). Side lengths may be None.
        weights: str. `"none"`, `"imagenet"` or the path of a weights file.
        small_stem: bool. AlexNet, ResNet: first layers for images of 32 to 64 pixels.
        width: int or None. VGG, ResNet: channels of the first stage; None: 64.
        drop_path: float in [0, 1). ResNet: stochastic depth.
        normalization: str or None. Mode of `ImageNormalization`; None: the network's own.
        kernel_regularizer: str, `keras.regularizers.Regularizer` or None.
        synchronized_batch_norm: bool. Batch statistics over all replicas.

    Returns:
        keras.Model: functional, RGB images (B, H, W, 3) in 0..255 -> features (B, h, w, C) of the
        compute dtype. See `pyramid.feature_pyramid` for features of several strides, and
        `heads.classification_head` for a classifier.

    Raises:
        KerasuiteError: if the name is unknown, the network lacks an option that was given, the
            images are too small, or the weights cannot be loaded.

    Example:

    >>> build_backbone("resnet18", (32, 32, 3), small_stem=True, width=16).output.shape
    (None, 4, 4, 128)
    """
    found = find_backbone(name)
    common = {
        "kernel_regularizer": kernel_regularizer,
        "synchronized_batch_norm": synchronized_batch_norm,
    }
    if normalization is not None:
        common["normalization"] = normalization
    special = {"small_stem": small_stem, "width": width, "drop_path": drop_path}
    special = {option: value for option, value in special.items() if value}
    _check_options(name, found, special)

    if isinstance(found, Application):
        imagenet = weights == "imagenet"
        backbone = build_application(found, input_shape, imagenet=imagenet, **common)
        weights = "none" if imagenet else weights
    else:
        _check_size(name, found, input_shape, small_stem)
        backbone = found.build(input_shape, name=name.lower(), **special, **common)
    load_backbone_weights(backbone, name.lower(), weights)
    return backbone


def find_backbone(name: str) -> Backbone | Application:
    """Finds a network by its name.

    Raises:
        KerasuiteError: if there is none; with the closest names.
    """
    lower = name.lower()
    if lower in BACKBONES:
        return BACKBONES[lower]
    if lower.removeprefix(PREFIX) in APPLICATIONS:
        return APPLICATIONS[lower.removeprefix(PREFIX)]
    refuse_unknown_backbone(name)
    raise AssertionError(f"{name} is named in backbone_names and built nowhere")


def default_image_size(name: str) -> int:
    """Side of the square images that a network was published with, in pixels."""
    return find_backbone(name).size


def default_head(name: str) -> str:
    """The kind of `classification_head` that belongs to a network: "pool" or "classic"."""
    return getattr(find_backbone(name), "head", "pool")


def _check_options(name, found, special):
    for option in special:
        if option not in getattr(found, "options", ()):
            able = [other for other, row in BACKBONES.items() if option in row.options]
            raise KerasuiteError(f"{name} has no option {option}; {', '.join(able)} have it")


def _check_size(name, found, input_shape, small_stem):
    min_size = found.min_size_small_stem if small_stem else found.min_size
    if any(side is not None and side < min_size for side in input_shape[:2]):
        size = "x".join(str(side) for side in input_shape[:2])
        stem = found.min_size_small_stem
        mend = f", or {stem} with small_stem" if stem and not small_stem else ""
        raise KerasuiteError(
            f"images of {size} pixels are too small for {name}: use at least {min_size}{mend}"
        )

"""Names of the backbones, without TensorFlow: a misspelled one is told before it is imported."""

import difflib
from collections.abc import Iterable

from shared.common.errors import KerasuiteError

OURS = (
    "alexnet", "alexnet_bn", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn",
    "vgg19", "vgg19_bn", "resnet18", "resnet34", "resnet50", "resnet101", "vgg16_torch",
    "vgg19_torch", "resnet50_torch", "resnet101_torch", "resnet152_torch", "vit_tiny16",
    "vit_base16", "vit_base32", "vit_large16",
)  # fmt: skip
# Of networks of keras.applications.
PREFIX = "keras:"
APPLICATIONS = (
    "VGG16", "VGG19", "ResNet50", "ResNet101", "ResNet152", "ResNet50V2", "ResNet101V2",
    "ResNet152V2", "InceptionV3", "InceptionResNetV2", "Xception", "MobileNet", "MobileNetV2",
    "MobileNetV3Small", "MobileNetV3Large", "NASNetMobile", "NASNetLarge", "DenseNet121",
    "DenseNet169", "DenseNet201", "EfficientNetB0", "EfficientNetB1", "EfficientNetB2",
    "EfficientNetB3", "EfficientNetB4", "EfficientNetB5", "EfficientNetB6", "EfficientNetB7",
    "EfficientNetV2B0", "EfficientNetV2B1", "EfficientNetV2B2", "EfficientNetV2B3",
    "EfficientNetV2S", "EfficientNetV2M", "EfficientNetV2L", "ConvNeXtTiny", "ConvNeXtSmall",
    "ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtXLarge",
)  # fmt: skip


def backbone_names() -> list[str]:
    """Our networks and, with their prefix, those of keras.applications."""
    return [*OURS, *(PREFIX + name for name in APPLICATIONS)]


def refuse_unknown_backbone(name: str, further: Iterable[str] = ()) -> None:
    """Raises KerasuiteError, with the closest names, if there is no such network.

    Args:
        name: as given; upper and lower case are the same, and the prefix may be left out.
        further: names that the task has besides.
    """
    lower = name.lower()
    known = {known.lower(): known for known in backbone_names()}
    if lower in known or PREFIX + lower in known or name in further:
        return
    close = difflib.get_close_matches(lower, known, n=3, cutoff=0.6)
    close = close or difflib.get_close_matches(PREFIX + lower, known, n=3, cutoff=0.6)
    hint = (
        f"did you mean {' or '.join(known[key] for key in close)}?"
        if close
        else f"choose one of {', '.join([*further, *OURS])}, or a network of keras.applications"
    )
    raise KerasuiteError(f"unknown network {name!r}: {hint}")

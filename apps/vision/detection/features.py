"""Features of three scales, from any backbone, for every detector."""

import keras

from apps.vision.backbones.pyramid import feature_pyramid
from apps.vision.backbones.registry import build_backbone
from apps.vision.detection.csp_backbone import LEVELS, SIZES, build_csp_backbone
from shared.common.errors import KerasuiteError
from shared.layers import PadToGrid

STRIDES = tuple(2**level for level in LEVELS)  # 8, 16, 32
GRID = STRIDES[-1]  # the sides of images are multiples of it


def build_features(
    name: str,
    input_shape=(None, None, 3),
    *,
    weights: str = "none",
    kernel_regularizer=None,
    synchronized_batch_norm: bool = False,
) -> keras.Model:
    """Features of three scales from any backbone.

    Args:
        name: str. `"nano"`, `"small"`, `"medium"` or `"test"` for this task's own backbone of that
            size, or any name that `build_backbone` knows.
        input_shape: (H, W, 3). Side lengths may be None; multiples of 32.
        weights: str. `"none"`, `"imagenet"` or a weights file, for a backbone of the suite.
        kernel_regularizer: str, `keras.regularizers.Regularizer` or None.
        synchronized_batch_norm: bool. Batch statistics over all replicas.

    Returns:
        keras.Model: RGB images (B, H, W, 3) in 0..255 -> list of features for the strides 8, 16
        and 32.

    Raises:
        KerasuiteError: if the name is unknown, the weights cannot be loaded, or a side of the
            images is no multiple of 32.
        ValueError: if the network has no features of one of the strides.
    """
    _check_image_size(input_shape)
    common = {
        "kernel_regularizer": kernel_regularizer,
        "synchronized_batch_norm": synchronized_batch_norm,
    }
    if name in SIZES:
        return build_csp_backbone(name, input_shape, **common)
    if name.lower().startswith("vit_"):
        raise KerasuiteError(
            f"--backbone {name}: has one feature for the whole image; choose a network with maps "
            f"of several strides, such as resnet18"
        )
    backbone = build_backbone(name, input_shape, weights=weights, **common)
    return feature_pyramid(backbone, LEVELS)


def on_grid(features):
    """The feature maps of `build_features` with the sides H / s and W / s that anchors expect.

    Networks without padding lose some pixels at the edges, which are filled with zeros.

    Args:
        features: keras.Model, from `build_features`.

    Returns:
        List of tensors (B, H / s, W / s, C_s) for the strides s = 8, 16, 32, of the same graph.
    """
    height, width = (side or 8 * GRID for side in features.inputs[0].shape[1:3])
    shapes = features.compute_output_shape((None, height, width, 3))
    maps = []
    for x, shape, stride in zip(features.outputs, shapes, STRIDES, strict=True):
        if shape[1:3] != (height // stride, width // stride):
            x = PadToGrid(stride, name=f"pad_to_grid{stride}")([x, features.inputs[0]])
        maps.append(x)
    return maps


def _check_image_size(input_shape):
    for side in input_shape[:2]:
        if side is not None and side % GRID:
            raise KerasuiteError(
                f"images of {input_shape[0]}x{input_shape[1]} pixels: the sides must be multiples "
                f"of {GRID}"
            )

"""Keras layers that more than one network uses; written with `keras` and `keras.ops` only."""

from shared.layers.conv_norm_activation import ConvNormActivation
from shared.layers.drop_path import DropPath
from shared.layers.image_normalization import ImageNormalization
from shared.layers.local_response_normalization import LocalResponseNormalization
from shared.layers.residual_block import BasicBlock, BottleneckBlock

__all__ = [
    "BasicBlock",
    "BottleneckBlock",
    "ConvNormActivation",
    "DropPath",
    "ImageNormalization",
    "LocalResponseNormalization",
]

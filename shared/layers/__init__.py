"""Keras layers that more than one network uses; written with `keras` and `keras.ops` only."""

from shared.layers.conv_norm_activation import ConvNormActivation
from shared.layers.csp_block import CspBlock
from shared.layers.drop_path import DropPath
from shared.layers.image_normalization import ImageNormalization
from shared.layers.local_response_normalization import LocalResponseNormalization
from shared.layers.pad_to_grid import PadToGrid
from shared.layers.path_aggregation import PathAggregation
from shared.layers.residual_block import BasicBlock, BottleneckBlock
from shared.layers.spatial_pyramid_pooling import SpatialPyramidPooling

__all__ = [
    "BasicBlock",
    "BottleneckBlock",
    "ConvNormActivation",
    "CspBlock",
    "DropPath",
    "ImageNormalization",
    "LocalResponseNormalization",
    "PadToGrid",
    "PathAggregation",
    "SpatialPyramidPooling",
]

"""Keras layers that more than one network uses; written with `keras` and `keras.ops` only."""

from shared.layers.attention_decoder import AttentionDecoder
from shared.layers.bicubic_upsampling import BicubicUpsampling
from shared.layers.conv_norm_activation import ConvNormActivation
from shared.layers.csp_block import CspBlock
from shared.layers.drop_path import DropPath
from shared.layers.dropout import Dropout
from shared.layers.feature_pyramid import FeaturePyramid
from shared.layers.feed_forward import FeedForward
from shared.layers.image_normalization import ImageNormalization
from shared.layers.layer_normalization import LayerNormalization
from shared.layers.local_response_normalization import LocalResponseNormalization
from shared.layers.multi_head_attention import MultiHeadAttention
from shared.layers.pad_to_grid import PadToGrid
from shared.layers.patch_tokens import PatchTokens
from shared.layers.path_aggregation import PathAggregation
from shared.layers.pixel_shuffle import PixelShuffle
from shared.layers.position_encoding import LearnedPositions, SinusoidalPositions
from shared.layers.recurrent_encoder import RecurrentEncoder
from shared.layers.recurrent_stack import RecurrentStack
from shared.layers.reflection_padding import ReflectionPadding
from shared.layers.residual_block import BasicBlock, BottleneckBlock
from shared.layers.roi_align import RoiAlign
from shared.layers.scaled_l2_normalization import ScaledL2Normalization
from shared.layers.spatial_pyramid_pooling import SpatialPyramidPooling
from shared.layers.state_bridge import StateBridge
from shared.layers.transformer_causal_block import TransformerCausalBlock
from shared.layers.transformer_decoder_block import TransformerDecoderBlock
from shared.layers.transformer_encoder_block import TransformerEncoderBlock

__all__ = [
    "AttentionDecoder",
    "BasicBlock",
    "BicubicUpsampling",
    "BottleneckBlock",
    "ConvNormActivation",
    "CspBlock",
    "DropPath",
    "Dropout",
    "FeaturePyramid",
    "FeedForward",
    "ImageNormalization",
    "LayerNormalization",
    "LearnedPositions",
    "LocalResponseNormalization",
    "MultiHeadAttention",
    "PadToGrid",
    "PatchTokens",
    "PathAggregation",
    "PixelShuffle",
    "RecurrentEncoder",
    "RecurrentStack",
    "ReflectionPadding",
    "RoiAlign",
    "ScaledL2Normalization",
    "SinusoidalPositions",
    "SpatialPyramidPooling",
    "StateBridge",
    "TransformerCausalBlock",
    "TransformerDecoderBlock",
    "TransformerEncoderBlock",
]

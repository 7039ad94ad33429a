"""Image networks without their classifier, for classification and detection alike."""

from apps.vision.backbone_names import backbone_names
from apps.vision.backbones.heads import classification_head
from apps.vision.backbones.pyramid import feature_pyramid, pyramid_layer_names
from apps.vision.backbones.registry import (
    build_backbone,
    default_head,
    default_image_size,
)
from apps.vision.backbones.weights import load_head_weights

__all__ = [
    "backbone_names",
    "build_backbone",
    "classification_head",
    "default_head",
    "default_image_size",
    "feature_pyramid",
    "load_head_weights",
    "pyramid_layer_names",
]

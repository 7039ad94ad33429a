"""Whole networks with batch normalisation folded: classifiers, backbones, detectors, generators."""

import keras
import pytest

from apps.vision.backbones import build_backbone
from apps.vision.classification.classifier import build_classifier
from apps.vision.classification.config import ClassifyConfig
from apps.vision.detection.detectors.ssd.ssd import build_ssd
from apps.vision.detection.detectors.yolo.yolo import build_yolo
from shared.common import config as configs
from tests.shared.engine.saved_model.folding import check_same

# Normalisations that are left: before a convolution, behind a sum or several maps side by side.
FAMILIES = {
    "alexnet_bn": 0,
    "vgg11_bn": 0,
    "resnet18": 0,
    "resnet50": 0,
    "keras:mobilenet": 0,
    "keras:mobilenetv2": 0,
    "keras:mobilenetv3small": 0,
    "keras:resnet50": 0,
    "keras:resnet50v2": 17,
    "keras:densenet121": 62,
    "keras:inceptionv3": 0,
    "keras:xception": 0,
    "keras:inceptionresnetv2": 0,
    "keras:efficientnetb0": 0,
    "keras:efficientnetv2b0": 0,
    "keras:nasnetmobile": 4,
    "keras:convnexttiny": 0,
    "keras:vgg16": 0,
}
# With random statistics it makes thousandths of the rounding of float32.
ILL_CONDITIONED = ("keras:efficientnetb0", "keras:efficientnetv2b0")
QUICK = ("vgg11_bn", "resnet18", "resnet50", "keras:mobilenet")


@pytest.mark.parametrize(
    "name",
    [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES],
)
def test_every_family_of_backbones(name):
    small = {"vgg11_bn": {"width": 8}, "resnet18": {"width": 8}, "resnet50": {"width": 8}}
    side = 96 if name.startswith(("keras:", "alexnet")) else 32
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64" if name in ILL_CONDITIONED else "float32")
    try:
        model = build_backbone(name, (side, side, 3), **small.get(name, {}))
        check_same(model, (side, side, 3), FAMILIES[name])
    finally:
        keras.config.set_dtype_policy(policy)


def test_the_class_of_a_model_and_what_it_adds_are_kept():
    overrides = {"preset": "test", "model.flip_average": True, "model.backbone": "resnet18"}
    model = build_classifier(configs.resolve(ClassifyConfig, overrides), 3)
    folded = check_same(model, model.input_shape[1:])
    assert type(folded) is type(model) and folded.flip_average


@pytest.mark.parametrize("build", [build_yolo, build_ssd])
def test_detectors(build):
    folded = check_same(build("test", 3), (64, 64, 3))
    assert folded.decoding() == build("test", 3).decoding()

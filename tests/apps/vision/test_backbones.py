"""Backbones: published sizes, shapes, options, saving, precision, pyramids, heads."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

from apps.vision.backbones import (
    backbone_names,
    build_backbone,
    classification_head,
    default_head,
    default_image_size,
    feature_pyramid,
    pyramid_layer_names,
)
from apps.vision.backbones.keras_applications import APPLICATIONS
from apps.vision.backbones.registry import BACKBONES
from apps.vision.detection.config import SIZES as DETECTION_SIZES
from apps.vision.detection.csp_backbone import SIZES
from shared.common.errors import KerasuiteError
from shared.layers import ImageNormalization

RANDOM = np.random.default_rng(0)
SMALL_RESNET = {"input_shape": (32, 32, 3), "small_stem": True, "width": 8}


def random_images(count=2, size=32):
    return RANDOM.uniform(0, 255, size=(count, size, size, 3)).astype("float32")


def sketch(name, *arguments, **options):
    """A backbone that knows its shapes but allocates no weights."""
    with keras.StatelessScope(initialize_variables=False):
        return build_backbone(name, *arguments, **options)


def published_classifier(name):
    backbone = sketch(name)
    with keras.StatelessScope(initialize_variables=False):
        logits = classification_head(backbone.output, 1000, default_head(name))
    return keras.Model(backbone.input, logits)


def trainable_count(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@pytest.fixture
def forget_unallocated_variables():
    yield
    keras.backend.clear_session()


@pytest.mark.usefixtures("forget_unallocated_variables")
@pytest.mark.parametrize(
    "name, count",
    [
        ("alexnet", 62_378_344),  # the paper's layers without groups
        ("vgg11", 132_863_336),  # torchvision and the paper's table 2, as are the next ones
        ("vgg13", 133_047_848),
        ("vgg16", 138_357_544),
        ("vgg16_bn", 138_365_992 - 4_224),  # ours drops the 4,224 redundant biases
        ("vgg19", 143_667_240),
        ("resnet18", 11_689_512),
        ("resnet34", 21_797_672),
        ("resnet50", 25_583_592),  # keras.applications: with biases
        ("resnet101", 44_601_832),
    ],
)
def test_trainable_parameters_as_published(name, count):
    assert trainable_count(published_classifier(name)) == count


@pytest.mark.usefixtures("forget_unallocated_variables")
@pytest.mark.parametrize(
    "name, shape, stages",
    [
        ("alexnet", (6, 6, 256), {3: (27, 256), 4: (13, 256), 5: (6, 256)}),
        ("vgg16", (7, 7, 512), {3: (28, 512), 4: (14, 512), 5: (7, 512)}),
        ("resnet18", (7, 7, 512), {3: (28, 128), 4: (14, 256), 5: (7, 512)}),
        ("resnet101", (7, 7, 2048), {3: (28, 512), 4: (14, 1024), 5: (7, 2048)}),
    ],
)
def test_features_and_pyramid_at_224_pixels(name, shape, stages):
    backbone = sketch(name)
    assert backbone.output.shape == (None, *shape)
    pyramid = feature_pyramid(backbone, stages)
    assert [(x.shape[1], x.shape[3]) for x in pyramid.outputs] == list(stages.values())


@pytest.mark.usefixtures("forget_unallocated_variables")
def test_small_stem_keeps_small_images_large():
    assert sketch("resnet18", **SMALL_RESNET).output.shape == (None, 4, 4, 64)
    assert sketch("resnet50", **SMALL_RESNET).output.shape == (None, 4, 4, 256)
    alexnet = sketch("alexnet", (32, 32, 3), small_stem=True)
    assert alexnet.output.shape == (None, 3, 3, 256)


def test_unknown_image_sizes():
    backbone = build_backbone("resnet18", (None, None, 3), width=8)
    assert backbone(random_images(1, 70)).shape == (1, 3, 3, 64)
    names = pyramid_layer_names(backbone)
    assert [names[level] for level in (3, 4, 5)] == [
        "conv3_block2",
        "conv4_block2",
        "conv5_block2",
    ]


@pytest.mark.parametrize(
    "name, options",
    [
        ("alexnet", {"input_shape": (32, 32, 3), "small_stem": True}),
        ("vgg11_bn", {"input_shape": (32, 32, 3), "width": 8}),
        ("resnet18", {**SMALL_RESNET, "drop_path": 0.2, "kernel_regularizer": "l2"}),
        ("MobileNet", {"input_shape": (32, 32, 3), "kernel_regularizer": "l1"}),
    ],
)
def test_saves_and_reloads_in_safe_mode(tmp_path, name, options):
    backbone = build_backbone(name, **options)
    model = keras.Model(backbone.input, classification_head(backbone.output, 3, dropout=0.1))
    images = random_images()
    expected = model(images, training=False)
    model.save(tmp_path / "model.keras")
    revived = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(revived(images, training=False), expected)
    features = keras.Model(revived.input, revived.get_layer("avg_pool").input)
    assert pyramid_layer_names(features) == pyramid_layer_names(backbone)


@pytest.fixture
def mixed_bfloat16():
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.usefixtures("mixed_bfloat16")
@pytest.mark.parametrize("name", ["alexnet", "resnet18", "MobileNet"])
def test_mixed_precision_computes_in_16_bits_and_answers_in_32(name):
    options = {"small_stem": True} if name in ("alexnet", "resnet18") else {}
    backbone = build_backbone(name, (32, 32, 3), **options)
    assert backbone.output.dtype == "bfloat16"
    assert backbone.get_layer("image_normalization").output.dtype == "float32"
    model = keras.Model(backbone.input, classification_head(backbone.output, 3))
    logits = model(random_images())
    assert logits.dtype == tf.float32 and np.isfinite(logits).all()
    assert all(weight.dtype == "float32" for weight in model.trainable_weights)


def test_builds_and_trains_in_a_strategy_scope():
    with tf.distribute.OneDeviceStrategy("/cpu:0").scope():
        options = {"width": 4, "synchronized_batch_norm": True}
        backbone = build_backbone("vgg11_bn", (32, 32, 3), **options)
        model = keras.Model(backbone.input, classification_head(backbone.output, 2))
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(0.01), loss, jit_compile=False)
    images = np.concatenate([0.4 * random_images(8), 255 - 0.4 * random_images(8)])
    labels = np.eye(2, dtype="float32")[[0] * 8 + [1] * 8]
    history = model.fit(images, labels, batch_size=8, epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]


@pytest.mark.parametrize("name", ["vgg11", "vgg16", "resnet18", "alexnet"])
def test_untrained_networks_answer_at_unit_scale(name):
    """The initialisation carries the signal through: neither vanishing nor exploding."""
    size = 64 if name == "alexnet" else 32
    features = np.asarray(build_backbone(name, (size, size, 3))(random_images(4, size)))
    assert 0.02 < features.std() < 20


@pytest.mark.usefixtures("forget_unallocated_variables")
def test_first_layer_receives_each_networks_own_normalisation():
    modes = {"vgg16": "caffe", "resnet50": "caffe", "resnet18": "torch", "vgg16_bn": "torch"}
    for name, mode in modes.items():
        backbone = sketch(name, (32, 32, 3), width=4)
        assert backbone.get_layer("image_normalization").mode == mode
    backbone = sketch("vgg16", (32, 32, 3), width=4, normalization="tf")
    assert backbone.get_layer("image_normalization").mode == "tf"


def test_drop_path_rises_with_depth():
    backbone = build_backbone("resnet18", **SMALL_RESNET, drop_path=0.7)
    rates = [layer.drop_path for layer in backbone.layers if "block" in layer.name]
    np.testing.assert_allclose(rates, np.linspace(0, 0.7, 8))


@pytest.mark.parametrize("name", ["resnet18", "MobileNet"])
def test_kernel_regularizer_and_synchronised_statistics_reach_all_layers(name):
    options = {"kernel_regularizer": "l2", "synchronized_batch_norm": True}
    backbone = build_backbone(name, (32, 32, 3), **options)
    kernels = [w for w in backbone.trainable_weights if w.path.endswith("/kernel")]
    expected = sum(0.01 * float(np.square(kernel.numpy()).sum()) for kernel in kernels)
    assert kernels and float(sum(backbone.losses)) == pytest.approx(expected, rel=1e-4)
    normalised = [layer for layer in backbone.layers if hasattr(layer, "synchronized")]
    assert normalised and all(layer.synchronized for layer in normalised)


@pytest.mark.parametrize(
    "name, hint",
    [
        ("resnet81", "did you mean .*resnet18"),
        ("EficientNetB0", "did you mean keras:EfficientNetB0"),
        ("keras:resnet5", "keras:ResNet50"),
        ("transformer-xxl-9000", "choose one of alexnet"),
    ],
)
def test_unknown_names_get_a_suggestion(name, hint):
    with pytest.raises(KerasuiteError, match=hint) as caught:
        build_backbone(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("vgg16", {"small_stem": True}, "no option small_stem; alexnet"),
        ("MobileNetV2", {"width": 32}, "no option width; vgg11"),
        ("vgg16", {"input_shape": (24, 32, 3)}, "24x32 pixels are too small for vgg16.*32"),
        ("alexnet", {"input_shape": (32, 32, 3)}, "at least 63, or 15 with small_stem"),
        ("keras:Xception", {"input_shape": (48, 48, 3)}, "Xception cannot be built .*48x48"),
    ],
)
def test_impossible_wishes_are_explained(name, options, message):
    with pytest.raises(KerasuiteError, match=message):
        build_backbone(name, **options)


@pytest.mark.parametrize("name, options", [("alexnet", {}), ("alexnet", {"small_stem": True})])
def test_the_least_size_is_the_least(name, options):
    size = 15 if options else 63
    assert build_backbone(name, (size, size, 3), **options).output.shape[1] == 1


@pytest.mark.usefixtures("forget_unallocated_variables")
def test_names_are_case_insensitive_and_the_prefix_decides():
    ours = sketch("ResNet50", (32, 32, 3), width=4)
    theirs = sketch("KERAS:resnet50", (32, 32, 3))
    assert "conv2_block1" in [layer.name for layer in ours.layers]
    assert "conv2_block1_1_conv" in [layer.name for layer in theirs.layers]


def test_table_of_keras_applications_is_complete_and_right():
    everything = {
        name
        for name, value in vars(keras.applications).items()
        if inspect.isfunction(value) and name[0].isupper()
    }
    assert {row.name for row in APPLICATIONS.values()} == everything
    assert {f"keras:{name}" for name in everything} <= set(backbone_names())
    assert set(backbone_names()) == {
        *BACKBONES, *(f"keras:{application.name}" for application in APPLICATIONS.values())
    }  # fmt: skip
    assert set(DETECTION_SIZES) == set(SIZES)
    modules = {
        name: module
        for module in vars(keras.applications).values()
        if inspect.ismodule(module) and hasattr(module, "preprocess_input")
        for name in vars(module)
        if name in everything
    }
    modules |= dict.fromkeys(
        ("MobileNetV3Small", "MobileNetV3Large"), keras.applications.mobilenet_v3
    )
    images = random_images(1, 4)
    for row in APPLICATIONS.values():
        expected = modules[row.name].preprocess_input(images.copy())
        actual = ImageNormalization(row.normalization)(images)
        np.testing.assert_allclose(actual, expected, atol=2e-5, err_msg=row.name)
    assert default_image_size("EfficientNetB4") == 380
    assert default_image_size("keras:xception") == 299
    assert default_image_size("resnet18") == 224


def test_an_application_equals_keras_own_network():
    backbone = build_backbone("MobileNetV2", (32, 32, 3))
    theirs = keras.applications.MobileNetV2(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    theirs.set_weights(backbone.get_weights())
    images = random_images()
    expected = theirs(keras.applications.mobilenet_v2.preprocess_input(images.copy()))
    np.testing.assert_allclose(backbone(images), expected, atol=1e-5)


@pytest.mark.usefixtures("forget_unallocated_variables")
def test_pyramid_ends_whole_blocks_of_an_application():
    names = pyramid_layer_names(sketch("keras:ResNet50", (64, 64, 3)))
    assert [names[level] for level in (2, 3, 4, 5)] == [
        "conv2_block3_out",
        "conv3_block4_out",
        "conv4_block6_out",
        "conv5_block3_out",
    ]


def test_pyramid_refuses_levels_that_do_not_exist():
    backbone = build_backbone("resnet18", **SMALL_RESNET)
    with pytest.raises(ValueError, match="levels .*but not"):
        feature_pyramid(backbone, (3, 4))


def test_heads():
    features = keras.Input((2, 3, 4))
    pooled = keras.Model(features, classification_head(features, 5, "pool", dropout=0.5))
    classic = keras.Model(
        features, classification_head(features, 5, "classic", dropout=0.5, hidden_dim=7)
    )
    assert pooled.count_params() == 4 * 5 + 5
    assert classic.count_params() == (24 * 7 + 7) + (7 * 7 + 7) + (7 * 5 + 5)
    assert sum(isinstance(x, keras.layers.Dropout) for x in classic.layers) == 2
    with pytest.raises(ValueError, match="pool, classic"):
        classification_head(features, 5, "modern")
    with pytest.raises(ValueError, match="fixed image size"):
        classification_head(keras.Input((None, None, 4)), 5, "classic")
    assert default_head("vgg16_bn") == "classic"
    assert default_head("resnet18") == default_head("Xception") == "pool"

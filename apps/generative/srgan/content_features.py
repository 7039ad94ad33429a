"""The content loss: the difference of two images in the features of a classifier.

The paper takes VGG-19's features; those of a classifier of this suite can replace them, and so can
the pixels themselves.
"""

import zipfile
from collections.abc import Callable
from pathlib import Path

import keras
from keras import ops

from apps.generative.srgan.config import LossConfig
from apps.generative.srgan.generator import pixel_error
from shared.common.errors import KerasuiteError
from shared.layers import ConvNormActivation

# Scales VGG's features to the magnitude of the pixel loss (Ledig et al., 2017, section 3.2).
VGG_SCALE = 1 / 12.75
CONVOLUTIONS = (keras.layers.Conv2D, ConvNormActivation)

ContentLoss = Callable[[object, object], object]


def content_loss(config: LossConfig) -> ContentLoss:
    """Builds the function of (truth, made), images (B, H, W, 3) in 0..255, to a scalar.

    Raises:
        KerasuiteError: if the feature network or its layer is not there.
    """
    if config.content_features == "pixel":
        return lambda truth, made: pixel_error(truth, made, "l2")
    if config.content_features == "imagenet":
        features = _features(_imagenet_vgg(), config)
        return lambda truth, made: _vgg_error(features, truth, made)
    network = _load_classifier(config.content_features)
    features = _features(network, config)
    return lambda truth, made: _relative_error(features, truth, made)


def _vgg_error(features, truth, made):
    mean = ops.convert_to_tensor([103.939, 116.779, 123.68], dtype="float32")

    def prepared(images):
        # These weights were trained on blue, green, red minus their means.
        return features(ops.flip(images, axis=-1) - mean)

    return ops.mean(ops.square(VGG_SCALE * (prepared(truth) - prepared(made))))


def _relative_error(features, truth, made):
    """Squared difference relative to the truth's square: features of networks differ in scale."""
    expected, found = features(truth), features(made)
    axes = tuple(range(1, len(expected.shape)))
    error = ops.sum(ops.square(expected - found), axis=axes)
    return ops.mean(error / (ops.sum(ops.square(expected), axis=axes) + 1e-6))


def _imagenet_vgg() -> keras.Model:
    try:
        return keras.applications.VGG19(include_top=False, weights="imagenet")
    except Exception as error:  # Keras wraps network failures in a bare Exception.
        raise KerasuiteError(
            "--content-features imagenet: the weights of VGG-19 are not there and cannot be "
            "fetched; give a classifier's run folder, or pixel"
        ) from error


def _load_classifier(location: str) -> keras.Model:
    """A classifier of this suite, by its saved graph: its own class is not needed for features."""
    path = Path(location)
    path = path / "model.keras" if path.is_dir() else path
    if not path.is_file():
        raise KerasuiteError(
            f"--content-features {location}: no such file; give imagenet, pixel, or the run folder "
            f"or .keras file of a classifier"
        )
    try:
        return keras.models.load_model(
            path,
            compile=False,
            safe_mode=True,
            custom_objects={"kerasuite>Classifier": keras.Model},
        )
    except (ValueError, TypeError, OSError, zipfile.BadZipFile) as error:
        raise KerasuiteError(
            f"--content-features {location}: is not a readable .keras file of a classifier"
        ) from error


def _features(network: keras.Model, config: LossConfig) -> keras.Model:
    """The network up to a convolution, for images of any size, never trained."""
    layer = _feature_layer(network, config)
    if config.content_activation == "before":
        layer.activation = keras.activations.linear
    features = keras.Model(network.input, layer.output, name="content_features")
    features.trainable = False
    return _for_any_size(features)


def _feature_layer(network: keras.Model, config: LossConfig) -> keras.layers.Layer:
    convolutions = {each.name: each for each in network.layers if isinstance(each, CONVOLUTIONS)}
    if not convolutions:
        raise KerasuiteError(
            f"--content-features {config.content_features}: has no convolution in a row of "
            f"layers; give a VGG or AlexNet classifier"
        )
    name = config.content_layer or list(convolutions)[-1]
    if name not in convolutions:
        raise KerasuiteError(
            f"--content-layer {name}: no convolution of the feature network; one of "
            f"{', '.join(convolutions)}"
        )
    return convolutions[name]


def _for_any_size(features: keras.Model) -> Callable:
    """Calls the layers on any size of image: a classifier was saved for one."""
    free = keras.Input((None, None, 3))
    clone = keras.models.clone_model(
        features, input_tensors=free, clone_function=lambda layer: layer
    )
    clone.trainable = False
    return lambda images: clone(images, training=False)

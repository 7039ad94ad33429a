"""Any network of `keras.applications` as a backbone, with its own preprocessing."""

import dataclasses
from collections.abc import Callable

import keras

from shared.common.errors import KerasuiteError
from shared.layers import ImageNormalization


@dataclasses.dataclass(frozen=True)
class Application:
    """A network of keras.applications and the images that it expects."""

    name: str  # of the function in keras.applications
    normalization: str  # mode of ImageNormalization; "none": the network has its own
    size: int  # side of the images that its published weights were trained on

    @property
    def build(self) -> Callable[..., keras.Model]:
        """The function in keras.applications."""
        return getattr(keras.applications, self.name)


def _table(normalization, sizes):
    return {name.lower(): Application(name, normalization, size) for name, size in sizes.items()}


# By lower-case name; a test compares it with keras.applications itself.
APPLICATIONS = {
    **_table("caffe", dict.fromkeys(("VGG16", "VGG19"), 224)),
    **_table("caffe", dict.fromkeys(("ResNet50", "ResNet101", "ResNet152"), 224)),
    **_table("tf", dict.fromkeys(("ResNet50V2", "ResNet101V2", "ResNet152V2"), 224)),
    **_table("tf", {"InceptionV3": 299, "InceptionResNetV2": 299, "Xception": 299}),
    **_table("tf", {"MobileNet": 224, "MobileNetV2": 224}),
    **_table("none", {"MobileNetV3Small": 224, "MobileNetV3Large": 224}),
    **_table("tf", {"NASNetMobile": 224, "NASNetLarge": 331}),
    **_table("torch", dict.fromkeys(("DenseNet121", "DenseNet169", "DenseNet201"), 224)),
    **_table("none", {"EfficientNetB0": 224, "EfficientNetB1": 240, "EfficientNetB2": 260}),
    **_table("none", {"EfficientNetB3": 300, "EfficientNetB4": 380, "EfficientNetB5": 456}),
    **_table("none", {"EfficientNetB6": 528, "EfficientNetB7": 600}),
    **_table("none", {"EfficientNetV2B0": 224, "EfficientNetV2B1": 240, "EfficientNetV2B2": 260}),
    **_table("none", {"EfficientNetV2B3": 300, "EfficientNetV2S": 384}),
    **_table("none", {"EfficientNetV2M": 480, "EfficientNetV2L": 480}),
    **_table("none", {"ConvNeXtTiny": 224, "ConvNeXtSmall": 224, "ConvNeXtBase": 224}),
    **_table("none", {"ConvNeXtLarge": 224, "ConvNeXtXLarge": 224}),
}


def build_application(
    application: Application,
    input_shape,
    *,
    imagenet: bool = False,
    normalization: str | None = None,
    kernel_regularizer=None,
    synchronized_batch_norm: bool = False,
) -> keras.Model:
    """A network of keras.applications without its classifier.

    Args:
        application: Application. A row of `APPLICATIONS`.
        input_shape: (H, W, 3). Side lengths may be None.
        imagenet: bool. Load the published weights, which Keras downloads once.
        normalization: str or None. Mode of `ImageNormalization`; None: the network's own.
        kernel_regularizer: str, `keras.regularizers.Regularizer` or None.
        synchronized_batch_norm: bool. Batch statistics over all replicas.

    Returns:
        keras.Model: RGB images (B, H, W, 3) in 0..255 -> features (B, h, w, C).

    Raises:
        KerasuiteError: if the size does not suit the network, or the download fails.
    """
    images = keras.Input(input_shape, name="image")
    mode = normalization or application.normalization
    x = ImageNormalization(mode, dtype="float32", name="image_normalization")(images)
    try:
        model = application.build(
            include_top=False,
            weights="imagenet" if imagenet else None,
            input_tensor=x,
            input_shape=tuple(input_shape),
        )
    except Exception as error:  # ValueError for a size, a bare Exception for a failed download
        raise KerasuiteError(
            _failed_download(application, error) or _wrong_size(application, input_shape, error)
        ) from error
    _regularize_kernels(model, keras.regularizers.get(kernel_regularizer))
    _synchronize_batch_norm(model, synchronized_batch_norm)
    return keras.Model(images, model.output, name=model.name)


def load_published(application: Application, include_top: bool) -> keras.Model:
    """A network of keras.applications with its ImageNet weights, which Keras downloads once.

    Raises:
        KerasuiteError: if the download fails.
    """
    try:
        return application.build(weights="imagenet", include_top=include_top)
    except Exception as error:  # ValueError for a damaged file, a bare Exception otherwise
        message = _failed_download(application, error)
        if message is None:
            raise
        raise KerasuiteError(message) from error


def _failed_download(application, error) -> str | None:
    """One line about a download that failed; None for another error."""
    reason = " ".join(str(error).split())
    if "URL fetch failure" not in reason and "corrupted file" not in reason:
        return None
    return (
        f"--weights imagenet: cannot download the weights of {application.name} ({reason}); "
        "download that file elsewhere and give its path as --weights PATH, or use --weights none"
    )


def _wrong_size(application, input_shape, error) -> str:
    reason = " ".join(str(error).split())
    size = "x".join(str(side) for side in input_shape[:2])
    return (
        f"{application.name} cannot be built for images of {size} pixels; "
        f"its own size is {application.size} ({reason})"
    )


def _regularize_kernels(model, regularizer):
    """Keras attaches regularizers to variables, so that they can be added to a built network."""
    for layer in model.layers:
        kernel = getattr(layer, "kernel", None)
        if regularizer is not None and kernel is not None:
            layer.kernel_regularizer = regularizer
            kernel.regularizer = regularizer


def _synchronize_batch_norm(model, synchronized):
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = synchronized

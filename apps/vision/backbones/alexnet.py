"""AlexNet, the network that won ImageNet 2012, in one tower instead of two half ones."""

import keras

from shared.layers import ConvNormActivation, ImageNormalization, LocalResponseNormalization

MIN_SIZE = 63
MIN_SIZE_SMALL_STEM = 15


def build_alexnet(
    input_shape,
    *,
    small_stem: bool = False,
    batch_norm: bool = False,
    normalization: str = "torch",
    kernel_regularizer=None,
    synchronized_batch_norm: bool = False,
    name: str = "alexnet",
) -> keras.Model:
    """AlexNet up to its last pooling; the paper's classifier is the "classic" head.

    The filters are the paper's two towers side by side, without the split into groups that two
    GPUs of 3 GB had made necessary. A 224-pixel image gives 6x6 features.

    Args:
        input_shape: (H, W, 3). Side lengths may be None.
        small_stem: bool. For images of 32 to 64 pixels: a 5x5 convolution of stride 1 in
            place of 11x11 with stride 4.
        batch_norm: bool. Batch normalisation after every convolution instead of the paper's
            local response normalisation after the first two.
        normalization: str. Mode of `ImageNormalization`.
        kernel_regularizer: str, `keras.regularizers.Regularizer` or None.
        synchronized_batch_norm: bool. Batch statistics over all replicas.
        name: str. Name of the model.

    Returns:
        keras.Model: RGB images (B, H, W, 3) in 0..255 -> features (B, h, w, 256).

    Reference: [Krizhevsky et al., 2012](https://papers.nips.cc/paper/4824)
    """

    def convolution(x, filters, kernel_size, strides=1, *, name):
        return ConvNormActivation(
            filters,
            kernel_size,
            strides,
            batch_norm=batch_norm,
            synchronized=synchronized_batch_norm,
            kernel_regularizer=kernel_regularizer,
            name=name,
        )(x)

    def normalised(x, name):
        return x if batch_norm else LocalResponseNormalization(name=name)(x)

    def pool(x, name):
        return keras.layers.MaxPooling2D(3, strides=2, name=name)(x)  # overlapping

    images = keras.Input(input_shape, name="image")
    x = ImageNormalization(normalization, dtype="float32", name="image_normalization")(images)
    if small_stem:
        x = convolution(x, 96, 5, name="conv1")
    else:
        x = convolution(x, 96, 11, strides=4, name="conv1")
    x = pool(normalised(x, "norm1"), "pool1")
    x = convolution(x, 256, 5, name="conv2")
    x = pool(normalised(x, "norm2"), "pool2")
    x = convolution(x, 384, 3, name="conv3")
    x = convolution(x, 384, 3, name="conv4")
    x = convolution(x, 256, 3, name="conv5")
    return keras.Model(images, pool(x, "pool5"), name=name)

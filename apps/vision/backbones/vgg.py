"""VGG: stacks of 3x3 convolutions, halved in size and doubled in width five times."""

import keras

from shared.layers import ConvNormActivation, ImageNormalization

# Convolutions per block; with the three dense layers of the classic head they add up to the
# depth. Configurations A, B, D and E of the paper's table 1.
BLOCKS = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
MIN_SIZE = 32


def build_vgg(
    input_shape,
    *,
    depth: int,
    width: int = 64,
    batch_norm: bool = False,
    normalization: str = "torch",
    kernel_regularizer=None,
    synchronized_batch_norm: bool = False,
    name: str = "vgg",
) -> keras.Model:
    """VGG up to its last pooling; the paper's classifier is the "classic" head.

    Args:
        input_shape: (H, W, 3). Side lengths may be None.
        depth: int. 11, 13, 16 or 19.
        width: int. Channels of the first block; the others have 2, 4, 8 and 8 times as many.
        batch_norm: bool. Batch normalisation after every convolution (not in the paper; makes
            training from scratch much easier).
        normalization: str. Mode of `ImageNormalization`.
        kernel_regularizer: str, `keras.regularizers.Regularizer` or None.
        synchronized_batch_norm: bool. Batch statistics over all replicas.
        name: str. Name of the model.

    Returns:
        keras.Model: RGB images (B, H, W, 3) in 0..255 -> features (B, H / 32, W / 32, 8 width).

    Reference: [Simonyan and Zisserman, 2014](https://arxiv.org/abs/1409.1556)
    """
    images = keras.Input(input_shape, name="image")
    x = ImageNormalization(normalization, dtype="float32", name="image_normalization")(images)
    for block, convolutions in enumerate(BLOCKS[depth], start=1):
        for convolution in range(1, convolutions + 1):
            x = ConvNormActivation(
                width * min(2 ** (block - 1), 8),
                batch_norm=batch_norm,
                synchronized=synchronized_batch_norm,
                kernel_initializer=_initializer(normalization, block, convolution),
                kernel_regularizer=kernel_regularizer,
                name=f"block{block}_conv{convolution}",
            )(x)
        x = keras.layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    return keras.Model(images, x, name=name)


def _initializer(normalization, block, convolution):
    """He's initialisation; the first layer also takes Caffe's large levels back to unit scale.

    Images minus their mean have a deviation of about 58 levels. Without normalisation further
    on, that factor would reach the logits of an untrained network.
    """
    if normalization == "caffe" and (block, convolution) == (1, 1):
        return keras.initializers.VarianceScaling(2.0 / 58**2)
    return "he_normal"

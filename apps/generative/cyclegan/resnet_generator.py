"""The generator: a fully convolutional encoder, residual blocks and a decoder."""

import keras
from keras import layers, ops

from shared.layers import ReflectionPadding

# Weights of all convolutions; the networks have neither dropout nor batch statistics.
INITIALIZER = keras.initializers.RandomNormal
DEVIATION = 0.02
# The level, in -1..1, to which a residual generator that adds nothing maps white.
WHITE = 0.99


def build_resnet_generator(
    width: int = 64,
    blocks: int = 9,
    upsampling: str = "transposed",
    residual: bool = False,
    name: str = "generator",
) -> keras.Model:
    """Translates images of one domain into images of another, of the same size.

    In the paper's notation `c7s1-64, d128, d256, R256 x blocks, u128, u64, c7s1-3`.

    Args:
        width: int. Channels of the first layer.
        blocks: int. Number of residual blocks.
        upsampling: "transposed" convolutions, or "resize": nearest-neighbour enlargement before
            a convolution, which leaves no checkerboard
            ([Odena et al., 2016](https://distill.pub/2016/deconv-checkerboard/)).
        residual: bool. Add the network's output to the image before the last tanh: it begins as
            the identity and keeps details that its bottleneck would lose
            ([de Bel et al., 2021](https://doi.org/10.1016/j.media.2021.102004)).
        name: str. Name of the model and prefix of its convolutions' names, by which `--init`
            finds weights.

    Returns:
        Model of float (B, H, W, 3) in -1..1 to the same; H and W are multiples of 4 and at
        least 8.

    Reference: [Zhu et al., 2017](https://arxiv.org/abs/1703.10593), section 7.2;
    [Johnson et al., 2016](https://arxiv.org/abs/1603.08155)
    """
    image = keras.Input((None, None, 3), name="image")

    # === Encoder ===
    x = ReflectionPadding(3)(image)
    x = normalized_relu(convolution(width, 7, name=f"{name}_stem")(x))
    for number, filters in ((1, 2 * width), (2, 4 * width)):
        halve = convolution(filters, 3, strides=2, padding="same", name=f"{name}_down_{number}")
        x = normalized_relu(halve(x))

    # === Residual blocks ===
    for number in range(1, blocks + 1):
        x = _residual_block(x, 4 * width, name=f"{name}_block_{number}")

    # === Decoder ===
    enlarge = {"transposed": _transposed, "resize": _resized}[upsampling]
    for number, filters in ((1, 2 * width), (2, width)):
        x = normalized_relu(enlarge(x, filters, name=f"{name}_up_{number}"))
    x = ReflectionPadding(3)(x)
    first = "zeros" if residual else INITIALIZER(stddev=DEVIATION)
    x = convolution(3, 7, first, use_bias=True, name=f"{name}_image")(x)
    # In float32, so that mixed precision does not round the levels of the picture.
    if residual:
        x = layers.Add(dtype="float32")([x, _before_tanh(image)])
    x = layers.Activation("tanh", dtype="float32")(x)
    return keras.Model(image, x, name=name)


def _before_tanh(image):
    """The inverse of tanh, of an image scaled by 0.99: tanh never reaches black and white."""
    return ops.arctanh(WHITE * image)


def _residual_block(x, filters: int, name: str):
    """Two convolutions beside the identity; nothing follows the addition."""
    first, second = (convolution(filters, 3, name=f"{name}_conv_{n}") for n in (1, 2))
    branch = normalized_relu(first(ReflectionPadding(1)(x)))
    branch = instance_normalization()(second(ReflectionPadding(1)(branch)))
    return layers.Add()([x, branch])


def _transposed(x, filters: int, name: str):
    """Twice the size by a fractionally strided convolution."""
    return layers.Conv2DTranspose(
        filters, 3, strides=2, padding="same", use_bias=False, name=name,
        kernel_initializer=INITIALIZER(stddev=DEVIATION),
    )(x)  # fmt: skip


def _resized(x, filters: int, name: str):
    """Twice the size by repeated pixels and a convolution."""
    x = layers.UpSampling2D(2)(x)
    return convolution(filters, 3, name=name)(ReflectionPadding(1)(x))


def convolution(
    filters: int, kernel_size: int, initializer=None, use_bias: bool = False, **options
) -> layers.Layer:
    """A convolution, initialised as in both papers.

    Args:
        filters: int.
        kernel_size: int.
        initializer: of the kernel; None: normal with a deviation of 0.02.
        use_bias: bool. A normalisation that follows would cancel it.
        **options: as for `keras.layers.Conv2D`.
    """
    return layers.Conv2D(
        filters, kernel_size, use_bias=use_bias,
        kernel_initializer=initializer or INITIALIZER(stddev=DEVIATION), **options,
    )  # fmt: skip


def instance_normalization() -> layers.Layer:
    """Mean 0 and variance 1 of each channel of each image, without scale and offset.

    Reference: [Ulyanov et al., 2016](https://arxiv.org/abs/1607.08022)
    """
    return layers.GroupNormalization(groups=-1, epsilon=1e-5, center=False, scale=False)


def normalized_relu(x):
    return layers.Activation("relu")(instance_normalization()(x))

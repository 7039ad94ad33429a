"""ResNet: networks that add residuals to their input, block after block."""

import keras

from shared.layers import BasicBlock, BottleneckBlock, ConvNormActivation, ImageNormalization

# depth -> (block, blocks per stage): table 1 of the paper.
STAGES = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (BottleneckBlock, (3, 4, 6, 3)),
    101: (BottleneckBlock, (3, 4, 23, 3)),
    152: (BottleneckBlock, (3, 8, 36, 3)),
}
MIN_SIZE = 32
MIN_SIZE_SMALL_STEM = 8
EPSILON = 1.001e-5  # of the batch normalisation in keras.applications


def build_resnet(
    input_shape,
    *,
    depth: int,
    small_stem: bool = False,
    width: int = 64,
    drop_path: float = 0.0,
    use_bias: bool = False,
    stride_in: str = "first",
    normalization: str = "torch",
    kernel_regularizer=None,
    synchronized_batch_norm: bool = False,
    name: str = "resnet",
) -> keras.Model:
    """ResNet version 1 up to its last residual block.

    Args:
        input_shape: (H, W, 3). Side lengths may be None.
        depth: int. 18, 34, 50, 101 or 152.
        small_stem: bool. For images of 32 to 64 pixels: a 3x3 convolution of stride 1 and no
            pooling, so that the features have stride 8 instead of 32.
        width: int. Filters of the first stage; the others have 2, 4 and 8 times as many.
        drop_path: float in [0, 1). Stochastic depth: probability to skip the last block; the
            blocks before it have proportionally lower ones.
        use_bias: bool. Convolutions with (redundant) bias, as in keras.applications.
        stride_in: str. From depth 50 on, see `BottleneckBlock`.
        normalization: str. Mode of `ImageNormalization`.
        kernel_regularizer: str, `keras.regularizers.Regularizer` or None.
        synchronized_batch_norm: bool. Batch statistics over all replicas.
        name: str. Name of the model.

    Returns:
        keras.Model: RGB images (B, H, W, 3) in 0..255 -> features (B, h, w, C) with C = 8 width
        (18, 34) or 32 width (50 and more).

    Reference: [He et al., 2015](https://arxiv.org/abs/1512.03385)
    """
    make_block, stages = STAGES[depth]
    options = {
        "use_bias": use_bias,
        "epsilon": EPSILON,
        "synchronized": synchronized_batch_norm,
        "kernel_regularizer": kernel_regularizer,
    }
    if make_block is BottleneckBlock:
        options["stride_in"] = stride_in
    images = keras.Input(input_shape, name="image")
    x = ImageNormalization(normalization, dtype="float32", name="image_normalization")(images)
    common = {name: value for name, value in options.items() if name != "stride_in"}
    x = _small_stem(x, width, common) if small_stem else _stem(x, width, common)
    blocks_before = 0
    for stage, blocks in enumerate(stages):
        for block in range(blocks):
            x = make_block(
                width * 2**stage,
                strides=2 if stage > 0 and block == 0 else 1,
                drop_path=drop_path * blocks_before / (sum(stages) - 1),
                name=f"conv{stage + 2}_block{block + 1}",
                **options,
            )(x)
            blocks_before += 1
    return keras.Model(images, x, name=name)


def _stem(x, width, options):
    """7x7 convolution and 3x3 pooling, each of stride 2."""
    x = ConvNormActivation(width, 7, 2, padding="symmetric", name="conv1", **options)(x)
    x = keras.layers.ZeroPadding2D(1, name="pool1_pad")(x)  # Neutral: the maximum is over x >= 0.
    return keras.layers.MaxPooling2D(3, strides=2, name="pool1")(x)


def _small_stem(x, width, options):
    """The CIFAR networks' 3x3 convolution of stride 1 (section 4.2 of the paper)."""
    return ConvNormActivation(width, 3, name="conv1", **options)(x)

"""The backbone of this task's own: strided convolutions and cross-stage partial blocks."""

import dataclasses

import keras

from shared.layers import ConvNormActivation, CspBlock, ImageNormalization

BASE_WIDTHS = (64, 128, 256, 512, 1024)  # after the strides 2, 4, 8, 16, 32
BASE_DEPTHS = (3, 6, 6, 3)  # pairs of convolutions at the strides 4, 8, 16, 32
BASE_NECK_DEPTH = 3
MIN_WIDTH = 16  # narrower convolutions are not safe in training (shared.layers.convolution_block)
LEVELS = (3, 4, 5)  # strides 8, 16, 32


@dataclasses.dataclass(frozen=True)
class Size:
    """A preset: multiples of the base depths and widths.

    Attributes:
        depth: float. Multiple of the depths; every stage keeps at least one pair.
        width: float. Multiple of the widths.
        head: int. Channels of the two branches of the head.
        deepest: float. Further multiple of the width of stride 32, which holds most parameters.
    """

    depth: float
    width: float
    head: int
    deepest: float = 1.0

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels after the strides 2, 4, 8, 16, 32, in multiples of 16."""
        scaled = [width * self.width for width in BASE_WIDTHS]
        scaled[-1] *= self.deepest
        return tuple(max(MIN_WIDTH, round(width / 16) * 16) for width in scaled)

    @property
    def depths(self) -> tuple[int, ...]:
        """Pairs of convolutions at the strides 4, 8, 16, 32."""
        return tuple(max(1, round(depth * self.depth)) for depth in BASE_DEPTHS)

    @property
    def neck_depth(self) -> int:
        """Pairs of convolutions in each block of the neck."""
        return max(1, round(BASE_NECK_DEPTH * self.depth))


SIZES = {
    "test": Size(depth=1 / 6, width=1 / 32, head=16),  # for tests: 16 to 32 channels
    "nano": Size(depth=1 / 3, width=1 / 4, head=64),
    "small": Size(depth=1 / 3, width=1 / 2, head=96),
    "medium": Size(depth=2 / 3, width=3 / 4, head=128, deepest=3 / 4),
}


def build_csp_backbone(
    size: str,
    input_shape=(None, None, 3),
    *,
    kernel_regularizer=None,
    synchronized_batch_norm: bool = False,
) -> keras.Model:
    """Features of three scales from cross-stage partial blocks.

    Args:
        size: str. A name in `SIZES`.
        input_shape: (H, W, 3). Side lengths may be None; multiples of 32.
        kernel_regularizer: str, `keras.regularizers.Regularizer` or None.
        synchronized_batch_norm: bool. Batch statistics over all replicas.

    Returns:
        keras.Model: RGB images (B, H, W, 3) in 0..255 -> list of features (B, H / s, W / s, C_s)
        for the strides s = 8, 16, 32.

    Reference: [Wang et al., 2020](https://arxiv.org/abs/1911.11929); stages and multiples as in
    [Ge et al., 2021](https://arxiv.org/abs/2107.08430).
    """
    widths, depths = SIZES[size].widths, SIZES[size].depths
    options = block_options(kernel_regularizer, synchronized_batch_norm)
    images = keras.Input(input_shape, name="image")
    x = ImageNormalization("tf", dtype="float32", name="image_normalization")(images)
    x = ConvNormActivation(widths[0], 3, 2, name="stem", **options)(x)
    stages = []
    for level, (width, depth) in enumerate(zip(widths[1:], depths, strict=True), start=2):
        x = ConvNormActivation(width, 3, 2, name=f"stage{level}_reduce", **options)(x)
        x = CspBlock(width, depth, name=f"stage{level}", **options)(x)
        stages.append(x)
    return keras.Model(images, stages[-len(LEVELS) :], name=f"csp_{size}")


def block_options(kernel_regularizer=None, synchronized_batch_norm: bool = False) -> dict:
    """Arguments of every block and convolution of the detectors."""
    return {
        "activation": "silu",
        "momentum": 0.97,
        "epsilon": 1e-3,
        "kernel_regularizer": kernel_regularizer,
        "synchronized": synchronized_batch_norm,
    }

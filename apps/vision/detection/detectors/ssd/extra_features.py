"""The extra feature layers of SSD: three coarser maps after the backbone's coarsest."""

from shared.layers import ConvNormActivation

# Channels of the paper's conv8_2, conv9_2 and conv10_2.
WIDTHS = (512, 256, 256)
STRIDES = (2, 2, 3)  # 10 cells at 320 pixels become 5, 3 and 1
MIN_WIDTH = 32  # half of it is the narrowest safe convolution, see shared.layers.convolution_block


def extra_features(x, kernel_regularizer=None) -> list:
    """Three more maps, each by a 1x1 convolution to half its channels and a strided 3x3 one.

    As in the paper they are not normalised: a map of one cell has no batch statistics to speak of.
    The last convolution takes 3x3 cells to one, as the paper's without padding does; by its stride
    of 3 it takes other maps too. Backbones of fewer channels than VGG get fewer here.

    Args:
        x: KerasTensor (B, h, w, C). The backbone's map of stride 32.
        kernel_regularizer: str, `keras.regularizers.Regularizer` or None.

    Returns:
        List of KerasTensors (B, h', w', C'), where h' is h divided by 2, 4 and 12, rounded up.

    Reference: [Liu et al., 2015](https://arxiv.org/abs/1512.02325), figure 2
    """
    options = {"batch_norm": False, "kernel_regularizer": kernel_regularizer}
    first = x.shape[-1]
    maps = []
    for number, (paper, own, stride) in enumerate(
        zip(WIDTHS, (first, first // 2, first // 2), STRIDES, strict=True), start=1
    ):
        width = max(min(paper, own), MIN_WIDTH)
        x = ConvNormActivation(width // 2, 1, name=f"extra{number}_reduce", **options)(x)
        x = ConvNormActivation(width, 3, stride, name=f"extra{number}", **options)(x)
        maps.append(x)
    return maps

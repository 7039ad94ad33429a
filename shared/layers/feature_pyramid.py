"""The feature pyramid: meaning from the coarse maps, position from the fine ones."""

import keras

from shared.layers.convolution_block import ConvolutionBlock
from shared.layers.nearest_upsampling import enlarge_twofold


@keras.saving.register_keras_serializable(package="kerasuite")
class FeaturePyramid(ConvolutionBlock):
    """Feature maps of equal width at every scale, each with what the coarser ones have seen.

    A 1x1 convolution brings every map to the same width; from coarse to fine, each is added to
    the next one, enlarged twofold; a 3x3 convolution smooths the sums. Further levels halve the
    coarsest map by taking every second feature.

    Args:
        filters: int. Channels of every output.
        extra_levels: int. Further, coarser maps.
        **kwargs: see `ConvolutionBlock`; the paper has no activation.

    Call arguments:
        inputs: list of float tensors (B, H_i, W_i, C_i), fine to coarse; each has exactly half
            the height and width of the one before.
        training: bool or None.

    Returns:
        List of tensors (B, H_i, W_i, filters), the extra levels at its end.

    Reference: [Lin et al., 2017](https://arxiv.org/abs/1612.03144)
    """

    def __init__(self, filters: int, extra_levels: int = 1, activation=None, **kwargs):
        super().__init__(activation=activation, **kwargs)
        self.filters = filters
        self.extra_levels = extra_levels

    def build(self, input_shape):
        self.lateral, self.smooth = [], []
        for number, shape in enumerate(input_shape):
            lateral = self.make_convolution(self.filters, 1, name=f"lateral_{number}")
            lateral.build(shape)
            self.lateral.append(lateral)
            smooth = self.make_convolution(self.filters, 3, name=f"smooth_{number}")
            smooth.build((*shape[:-1], self.filters))
            self.smooth.append(smooth)

    def call(self, inputs, training=None):
        maps = [
            lateral(x, training=training) for lateral, x in zip(self.lateral, inputs, strict=True)
        ]
        for i in reversed(range(len(maps) - 1)):
            maps[i] = maps[i] + enlarge_twofold(maps[i + 1])
        maps = [smooth(x, training=training) for smooth, x in zip(self.smooth, maps, strict=True)]
        for _ in range(self.extra_levels):
            maps.append(maps[-1][:, ::2, ::2])
        return maps

    def compute_output_shape(self, input_shape):
        shapes = [(*shape[:-1], self.filters) for shape in input_shape]
        for _ in range(self.extra_levels):
            batch, height, width, filters = shapes[-1]
            halves = [side if side is None else -(-side // 2) for side in (height, width)]
            shapes.append((batch, *halves, filters))
        return shapes

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "extra_levels": self.extra_levels,
        }

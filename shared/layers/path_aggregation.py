"""The neck of a detector: joins every scale with the coarser and the finer ones."""

import keras
from keras import ops

from shared.layers.convolution_block import ConvolutionBlock
from shared.layers.csp_block import CspBlock
from shared.layers.nearest_upsampling import enlarge_twofold


@keras.saving.register_keras_serializable(package="kerasuite")
class PathAggregation(ConvolutionBlock):
    """A path down from coarse to fine feature maps, then one up again.

    Down, each map is joined with the coarser one enlarged twofold, which adds meaning; up, with the
    finer one reduced by a strided convolution, which adds position. A `CspBlock` follows every
    junction.

    Args:
        filters: list of ints. Output channels of every scale, fine to coarse.
        num_blocks: int. Pairs of convolutions in each `CspBlock`.
        **kwargs: see `ConvolutionBlock`.

    Call arguments:
        inputs: list of float tensors (B, H_i, W_i, C_i), fine to coarse; each has exactly half
            the height and width of the one before.
        training: bool or None.

    Returns:
        List of tensors (B, H_i, W_i, filters[i]).

    Reference: [Liu et al., 2018](https://arxiv.org/abs/1803.01534)
    """

    def __init__(self, filters: list[int], num_blocks: int = 1, **kwargs):
        super().__init__(**kwargs)
        self.filters = list(filters)
        self.num_blocks = num_blocks

    def build(self, input_shape):
        spaces, channels = [shape[:-1] for shape in input_shape], [s[-1] for s in input_shape]
        last = len(self.filters) - 1
        self.down_blocks, self.reducers, self.up_blocks = [], [], []
        # The coarsest map begins the path down as it came.
        reached = [*self.filters[:-1], channels[-1]]
        for i in range(last):
            block = self._block(i, "down")
            block.build((*spaces[i], channels[i] + reached[i + 1]))
            self.down_blocks.append(block)
        for i in range(1, last + 1):
            reducer = self.make_convolution(self.filters[i - 1], 3, 2, name=f"reduce_{i}")
            reducer.build((*spaces[i - 1], self.filters[i - 1]))
            self.reducers.append(reducer)
            block = self._block(i, "up")
            block.build((*spaces[i], self.filters[i - 1] + reached[i]))
            self.up_blocks.append(block)

    def _block(self, level, path):
        return CspBlock(
            self.filters[level],
            self.num_blocks,
            shortcut=False,
            name=f"{path}_{level}",
            **self.shared_options(),
        )

    def call(self, inputs, training=None):
        maps = list(inputs)
        for i in reversed(range(len(maps) - 1)):
            joined = ops.concatenate([enlarge_twofold(maps[i + 1]), maps[i]], axis=-1)
            maps[i] = self.down_blocks[i](joined, training=training)
        for i in range(1, len(maps)):
            reduced = self.reducers[i - 1](maps[i - 1], training=training)
            joined = ops.concatenate([reduced, maps[i]], axis=-1)
            maps[i] = self.up_blocks[i - 1](joined, training=training)
        return maps

    def compute_output_shape(self, input_shape):
        return [
            (*shape[:-1], filters) for shape, filters in zip(input_shape, self.filters, strict=True)
        ]

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "num_blocks": self.num_blocks,
        }

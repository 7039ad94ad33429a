"""The cross-stage partial block: half of the channels work, the other half pass by."""

import keras
from keras import ops

from shared.layers.convolution_block import MIN_WIDTH, ConvolutionBlock


@keras.saving.register_keras_serializable(package="kerasuite")
class CspBlock(ConvolutionBlock):
    """Splits the channels, refines one part step by step, joins everything.

    A 1x1 convolution makes `2 * hidden_dim` channels. One half passes by; the other goes through
    `num_blocks` pairs of 3x3 convolutions. A last 1x1 convolution sees both halves and the result
    of every pair, as in a dense block: gradients reach every pair by a short way, and no pair is
    wider than `hidden_dim`.

    Args:
        filters: int. Output channels.
        num_blocks: int. Pairs of 3x3 convolutions, one after the other.
        shortcut: bool. Whether each pair adds to its input (backbones) or replaces it (necks).
        hidden_dim: int or None. Channels of each half; None: half of `filters`, at least 16.
        **kwargs: see `ConvolutionBlock`.

    Call arguments:
        inputs: float tensor (B, H, W, C).
        training: bool or None.

    Returns:
        Tensor (B, H, W, filters).

    Reference: [Wang et al., 2020 (CSPNet)](https://arxiv.org/abs/1911.11929)
    """

    def __init__(
        self,
        filters: int,
        num_blocks: int = 1,
        shortcut: bool = True,
        hidden_dim: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.filters = filters
        self.num_blocks = num_blocks
        self.shortcut = shortcut
        self.hidden_dim = hidden_dim

    def build(self, input_shape):
        width = self.hidden_dim or max(self.filters // 2, MIN_WIDTH)
        within = (*input_shape[:-1], width)
        self.divide = self.make_convolution(2 * width, 1, name="divide")
        self.divide.build(input_shape)
        # Pair i is convolution i of either list.
        self.first = [self._convolution(width, i, "first") for i in range(self.num_blocks)]
        self.second = [self._convolution(width, i, "second") for i in range(self.num_blocks)]
        for convolution in (*self.first, *self.second):
            convolution.build(within)
        self.join = self.make_convolution(self.filters, 1, name="join")
        self.join.build((*input_shape[:-1], (2 + self.num_blocks) * width))

    def _convolution(self, width, index, which):
        return self.make_convolution(width, 3, name=f"block_{index}_{which}")

    def call(self, inputs, training=None):
        both = self.divide(inputs, training=training)
        parts = [both]
        x = both[..., both.shape[-1] // 2 :]
        for first, second in zip(self.first, self.second, strict=True):
            refined = second(first(x, training=training), training=training)
            x = x + refined if self.shortcut else refined
            parts.append(x)
        return self.join(ops.concatenate(parts, axis=-1), training=training)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "num_blocks": self.num_blocks,
            "shortcut": self.shortcut,
            "hidden_dim": self.hidden_dim,
        }

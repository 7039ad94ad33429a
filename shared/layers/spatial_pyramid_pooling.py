"""Spatial pyramid pooling: maxima over windows of several sizes."""

import keras
from keras import ops

from shared.layers.convolution_block import MIN_WIDTH, ConvolutionBlock


@keras.saving.register_keras_serializable(package="kerasuite")
class SpatialPyramidPooling(ConvolutionBlock):
    """Joins a feature map with its maxima over windows of growing size, at full resolution.

    The windows grow by chaining: a maximum over k x k of a maximum over k x k is one over
    (2k - 1) x (2k - 1), so that the default sees 5, 9 and 13 pixels for the price of three times
    5. A 1x1 convolution before halves the channels, one after mixes the four maps.

    Args:
        filters: int. Output channels.
        pool_size: int. Side of the first window, odd.
        num_pools: int. Number of windows.
        **kwargs: see `ConvolutionBlock`.

    Call arguments:
        inputs: float tensor (B, H, W, C).
        training: bool or None.

    Returns:
        Tensor (B, H, W, filters).

    Reference: [He et al., 2015](https://arxiv.org/abs/1406.4729); with stride 1 as in
    [Redmon and Farhadi, 2018](https://arxiv.org/abs/1804.02767).
    """

    def __init__(self, filters: int, pool_size: int = 5, num_pools: int = 3, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.pool_size = pool_size
        self.num_pools = num_pools

    def build(self, input_shape):
        width = max(input_shape[-1] // 2, MIN_WIDTH)
        self.reduce = self.make_convolution(width, 1, name="reduce")
        self.reduce.build(input_shape)
        self.mix = self.make_convolution(self.filters, 1, name="mix")
        self.mix.build((*input_shape[:-1], (1 + self.num_pools) * width))

    def call(self, inputs, training=None):
        maps = [self.reduce(inputs, training=training)]
        for _ in range(self.num_pools):
            maps.append(ops.max_pool(maps[-1], self.pool_size, strides=1, padding="same"))
        return self.mix(ops.concatenate(maps, axis=-1), training=training)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "pool_size": self.pool_size,
            "num_pools": self.num_pools,
        }

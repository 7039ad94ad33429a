"""The normalisation of AlexNet, before there was batch normalisation."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerasuite")
class LocalResponseNormalization(keras.layers.Layer):
    """Divides each channel by the energy of its neighbouring channels.

    `b_i = a_i / (bias + alpha * sum_j a_j**2) ** beta`, where j runs over the `depth_radius`
    channels on either side of i and i itself. The defaults are the paper's.

    Args:
        depth_radius: int. Neighbours on each side.
        bias: float. Keeps the divisor away from zero (k in the paper).
        alpha: float. Weight of the energy.
        beta: float. Exponent of the divisor.

    Call arguments:
        inputs: float tensor (..., C).

    Returns:
        Tensor of the same shape and dtype.

    Reference: [Krizhevsky et al., 2012, section 3.3](https://papers.nips.cc/paper/4824)
    """

    def __init__(
        self,
        depth_radius: int = 2,
        bias: float = 2.0,
        alpha: float = 1e-4,
        beta: float = 0.75,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.depth_radius = depth_radius
        self.bias = bias
        self.alpha = alpha
        self.beta = beta

    def call(self, inputs):
        channels = inputs.shape[-1]
        margins = [(0, 0)] * (len(inputs.shape) - 1) + [(self.depth_radius, self.depth_radius)]
        squares = ops.pad(ops.square(inputs), margins)
        energy = sum(
            squares[..., shift : shift + channels] for shift in range(2 * self.depth_radius + 1)
        )
        return inputs / ops.power(self.bias + self.alpha * energy, self.beta)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "depth_radius": self.depth_radius,
            "bias": self.bias,
            "alpha": self.alpha,
            "beta": self.beta,
        }

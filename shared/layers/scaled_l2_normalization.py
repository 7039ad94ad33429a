"""Normalisation of the features at each position, with a learned scale for each channel."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerasuite")
class ScaledL2Normalization(keras.layers.Layer):
    """Divides the features of each position by their Euclidean norm and scales every channel.

    `y_c = gamma_c * x_c / sqrt(sum_c x_c**2 + epsilon)`. It lets features of early layers, which
    are larger than others, stand beside those.

    Args:
        scale: float. Initial value of every gamma.
        epsilon: float. Keeps the norm of features of zero away from zero.

    Call arguments:
        inputs: float tensor (..., C).

    Returns:
        Tensor of the same shape, of the compute dtype.

    Reference: [Liu et al., 2015 (ParseNet)](https://arxiv.org/abs/1506.04579), section 3.3
    """

    def __init__(self, scale: float = 20.0, epsilon: float = 1e-6, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale
        self.epsilon = epsilon

    def build(self, input_shape):
        initializer = keras.initializers.Constant(self.scale)
        self.gamma = self.add_weight(
            name="gamma", shape=(input_shape[-1],), initializer=initializer
        )

    def call(self, inputs):
        # A sum of squares needs more range and digits than 16 bits have.
        features = ops.cast(inputs, "float32")
        energy = ops.sum(ops.square(features), axis=-1, keepdims=True)
        normalized = features * ops.rsqrt(energy + self.epsilon)
        return ops.cast(normalized * ops.cast(self.gamma, "float32"), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "scale": self.scale, "epsilon": self.epsilon}

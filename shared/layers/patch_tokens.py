"""Tokens of an image's patches, behind one for the whole image."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerasuite")
class PatchTokens(keras.layers.Layer):
    """Adds a learned token for the whole image, and a learned vector for each position.

    Call arguments:
        inputs: float tensor (B, h, w, D), h and w static. The embedded patches.

    Returns:
        Tensor (B, 1 + h w, D): the token of the image, then the patches row by row.

    Reference: [Dosovitskiy et al., 2021](https://arxiv.org/abs/2010.11929), equation 1
    """

    def build(self, input_shape):
        _, height, width, dim = input_shape
        if None in (height, width):
            raise ValueError("patches have positions: the image size must be fixed")
        initializer = keras.initializers.TruncatedNormal(stddev=0.02)
        self.class_token = self.add_weight((1, 1, dim), initializer="zeros", name="class_token")
        self.positions = self.add_weight(
            (1, 1 + height * width, dim), initializer=initializer, name="positions"
        )
        self.built = True

    def call(self, inputs):
        rows, dim = ops.shape(inputs)[0], inputs.shape[-1]
        patches = ops.reshape(inputs, (rows, self.positions.shape[1] - 1, dim))
        first = ops.broadcast_to(ops.cast(self.class_token, inputs.dtype), (rows, 1, dim))
        tokens = ops.concatenate([first, patches], axis=1)
        return tokens + ops.cast(self.positions, inputs.dtype)

    def compute_output_shape(self, input_shape):
        batch, height, width, dim = input_shape
        return (batch, 1 + height * width, dim)

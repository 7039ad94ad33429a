"""Position encodings: added to the embeddings of tokens, or rotations of queries and keys."""

import math

import keras
from keras import ops

from shared.layers.initializers import fresh_initializer


@keras.saving.register_keras_serializable(package="kerasuite")
class SinusoidalPositions(keras.layers.Layer):
    """Adds sines and cosines of falling frequency: `sin(p / 10000**(2 i / D))` and its cosine.

    Args:
        max_wavelength: float. Ratio of the longest to the shortest wave.

    Call arguments:
        inputs: float tensor (B, T, D), D even.
        begin: int scalar or int tensor (B,). Position of the first one, of all rows or of each.

    Returns:
        Tensor (B, T, D).

    Reference: [Vaswani et al., 2017, section 3.5](https://arxiv.org/abs/1706.03762). All sines
    stand before all cosines, as in the authors' own code; the order means nothing to a network.
    """

    def __init__(self, max_wavelength: float = 10000.0, **kwargs):
        super().__init__(**kwargs)
        self.max_wavelength = max_wavelength
        self.supports_masking = True

    def call(self, inputs, begin=0):
        half = inputs.shape[-1] // 2
        positions = ops.cast(consecutive(begin, ops.shape(inputs)[1]), "float32")
        frequencies = ops.exp(
            ops.arange(half, dtype="float32") * (-math.log(self.max_wavelength) / half)
        )
        angles = positions[..., None] * frequencies
        waves = ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)
        return inputs + ops.cast(waves, inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "max_wavelength": self.max_wavelength}


@keras.saving.register_keras_serializable(package="kerasuite")
class LearnedPositions(keras.layers.Layer):
    """Adds a learned vector for each position; those beyond the last share the last one's.

    Args:
        max_length: int. Number of positions.
        embeddings_initializer: str or `keras.initializers.Initializer`.

    Call arguments:
        inputs: float tensor (B, T, D).
        begin: int scalar or int tensor (B,). Position of the first one, of all rows or of each.

    Returns:
        Tensor (B, T, D).

    Reference: [Gehring et al., 2017](https://arxiv.org/abs/1705.03122)
    """

    def __init__(self, max_length: int = 512, embeddings_initializer="uniform", **kwargs):
        super().__init__(**kwargs)
        self.max_length = max_length
        self.embeddings_initializer = embeddings_initializer
        self.supports_masking = True

    def build(self, input_shape):
        self.positions = keras.layers.Embedding(
            self.max_length,
            input_shape[-1],
            fresh_initializer(self.embeddings_initializer),
            name="positions",
            dtype=self.dtype_policy,
        )
        self.positions.build()
        self.built = True

    def call(self, inputs, begin=0):
        indices = consecutive(begin, ops.shape(inputs)[1])
        return inputs + self.positions(ops.minimum(indices, self.max_length - 1))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "max_length": self.max_length,
            "embeddings_initializer": keras.initializers.serialize(self.embeddings_initializer),
        }


def rotate(heads, positions, max_wavelength: float = 10000.0):
    """Rotates pairs of numbers by angles that grow with the position (RoPE).

    The product of a rotated query and a rotated key depends on the distance of their positions
    alone. Number i of a head's first half makes a pair with number i of the second half and is
    turned by `p / 10000**(2 i / d)`.

    Args:
        heads: float tensor (B, H, T, d), d even.
        positions: int tensor (T,), or (B, T) where rows stand at other positions.
        max_wavelength: float. Ratio of the longest to the shortest wave.

    Returns:
        Tensor (B, H, T, d) of the same dtype.

    Reference: [Su et al., 2021](https://arxiv.org/abs/2104.09864), section 3.2
    """
    half = heads.shape[-1] // 2
    frequencies = ops.exp(ops.arange(half, dtype="float32") * (-math.log(max_wavelength) / half))
    angles = ops.cast(positions, "float32")[..., None] * frequencies
    if len(positions.shape) == 2:
        angles = angles[:, None]  # The same for all heads.
    cosines, sines = (ops.cast(f(angles), heads.dtype) for f in (ops.cos, ops.sin))
    first, second = heads[..., :half], heads[..., half:]
    return ops.concatenate(
        [first * cosines - second * sines, second * cosines + first * sines], axis=-1
    )


def consecutive(begin, length):
    """Positions from `begin` on: int (length,), or (B, length) for `begin` (B,)."""
    steps = ops.arange(length)
    if not len(getattr(begin, "shape", ())):
        return begin + steps
    return ops.cast(begin, steps.dtype)[:, None] + steps

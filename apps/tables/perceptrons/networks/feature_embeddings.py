"""Numbers and categories of a row as vectors."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerasuite")
class LinearEmbedding(keras.layers.Layer):
    """A vector for each number: the number times a weight vector, plus a bias, of its own.

    Args:
        dim: int. Width D.

    Call arguments:
        inputs: float tensor (B, S).

    Returns:
        Tensor (B, S, D).

    Reference: [Gorishniy et al., 2021, section 3.3](https://arxiv.org/abs/2106.11959), "feature
    tokenizer"
    """

    def __init__(self, dim: int, **kwargs):
        super().__init__(**kwargs)
        self.dim = dim

    def build(self, input_shape):
        initializer = uniform(self.dim)
        shape = (input_shape[-1], self.dim)
        self.kernel = self.add_weight(shape=shape, initializer=initializer, name="kernel")
        self.bias = self.add_weight(shape=shape, initializer=uniform(self.dim), name="bias")
        self.built = True

    def call(self, inputs):
        return inputs[..., None] * self.kernel + self.bias

    def compute_output_shape(self, input_shape):
        return (*input_shape, self.dim)

    def get_config(self):
        return {**super().get_config(), "dim": self.dim}


@keras.saving.register_keras_serializable(package="kerasuite")
class PeriodicEmbedding(keras.layers.Layer):
    """A vector for each number: sines and cosines of learnt frequencies, a linear map, ReLU.

        PLR(x) = ReLU(Linear([sin(2 pi c x), cos(2 pi c x)]))

    with frequencies c and a linear map of its own for each number.

    Args:
        dim: int. Width D.
        frequencies: int. Frequencies F of each number.
        scale: float. Standard deviation of the first frequencies.

    Call arguments:
        inputs: float tensor (B, S).

    Returns:
        Tensor (B, S, D).

    Reference: [Gorishniy et al., 2022, section 3.3](https://arxiv.org/abs/2203.05556)
    """

    def __init__(self, dim: int, frequencies: int, scale: float, **kwargs):
        super().__init__(**kwargs)
        self.dim = dim
        self.frequencies = frequencies
        self.scale = scale

    def build(self, input_shape):
        slots, width = input_shape[-1], 2 * self.frequencies
        normal = keras.initializers.RandomNormal(stddev=self.scale)
        self.frequency = self.add_weight(
            shape=(slots, self.frequencies), initializer=normal, name="frequency"
        )
        self.kernel = self.add_weight(
            shape=(slots, width, self.dim), initializer=uniform(width), name="kernel"
        )
        self.bias = self.add_weight(
            shape=(slots, self.dim), initializer=uniform(width), name="bias"
        )
        self.built = True

    def call(self, inputs):
        angles = 2 * math.pi * self.frequency * inputs[..., None]
        waves = ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)
        # A product of matrices for each number: (S, B, 2 F) times (S, 2 F, D).
        outputs = ops.matmul(ops.transpose(waves, (1, 0, 2)), self.kernel)
        return ops.relu(ops.transpose(outputs, (1, 0, 2)) + self.bias)

    def compute_output_shape(self, input_shape):
        return (*input_shape, self.dim)

    def get_config(self):
        return {
            **super().get_config(),
            "dim": self.dim,
            "frequencies": self.frequencies,
            "scale": self.scale,
        }


@keras.saving.register_keras_serializable(package="kerasuite")
class CategoryEmbedding(keras.layers.Layer):
    """A vector for each category, from one table of the values of all categories.

    Args:
        sizes: list of C ints. Number of places of each category.
        dim: int. Width D.
        use_bias: bool. Adds a bias of its own to each category.

    Call arguments:
        inputs: int tensor (B, C).

    Returns:
        Tensor (B, C, D).
    """

    def __init__(self, sizes, dim: int, use_bias: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.sizes = list(sizes)
        self.dim = dim
        self.use_bias = use_bias

    def build(self, input_shape):
        self.embeddings = self.add_weight(
            shape=(sum(self.sizes), self.dim), initializer=uniform(self.dim), name="embeddings"
        )
        if self.use_bias:
            self.bias = self.add_weight(
                shape=(len(self.sizes), self.dim), initializer=uniform(self.dim), name="bias"
            )
        self.built = True

    def call(self, inputs):
        first = [sum(self.sizes[:index]) for index in range(len(self.sizes))]
        places = ops.cast(inputs, "int32") + ops.convert_to_tensor(first, "int32")
        vectors = ops.cast(ops.take(self.embeddings, places, axis=0), self.compute_dtype)
        return vectors + self.bias if self.use_bias else vectors

    def compute_output_shape(self, input_shape):
        return (*input_shape, self.dim)

    def get_config(self):
        return {
            **super().get_config(),
            "sizes": self.sizes,
            "dim": self.dim,
            "use_bias": self.use_bias,
        }


@keras.saving.register_keras_serializable(package="kerasuite")
class OneHotCategories(keras.layers.Layer):
    """Categories as ones and zeros, side by side.

    Args:
        sizes: list of C ints. Number of places of each category.

    Call arguments:
        inputs: int tensor (B, C).

    Returns:
        Tensor (B, V), V the sum of the sizes.
    """

    def __init__(self, sizes, **kwargs):
        super().__init__(**kwargs)
        self.sizes = list(sizes)

    def call(self, inputs):
        parts = [
            ops.one_hot(inputs[:, index], size, dtype=self.compute_dtype)
            for index, size in enumerate(self.sizes)
        ]
        return ops.concatenate(parts, axis=-1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], sum(self.sizes))

    def get_config(self):
        return {**super().get_config(), "sizes": self.sizes}


def uniform(width: int) -> keras.initializers.Initializer:
    """From -1 / sqrt(width) to 1 / sqrt(width), as the paper's code has it."""
    limit = 1 / math.sqrt(width)
    return keras.initializers.RandomUniform(-limit, limit)

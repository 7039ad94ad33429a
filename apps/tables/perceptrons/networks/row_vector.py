"""Features of a row as one vector."""

import keras
from keras import ops

from apps.tables.perceptrons.config import ModelConfig
from apps.tables.perceptrons.networks.feature_embeddings import (
    CategoryEmbedding,
    OneHotCategories,
    PeriodicEmbedding,
)


@keras.saving.register_keras_serializable(package="kerasuite")
class RowVector(keras.layers.Layer):
    """Numbers, or their embeddings, and embeddings of categories, side by side.

    Args:
        sizes: list of C ints. Number of places of each category.
        embedding_dim: int. Width of the embedding of a category; 0 is one-hot.
        number_dim: int. Width of the periodic embedding of a number; 0 takes it as it is.
        frequencies, scale: of the periodic embedding, see `PeriodicEmbedding`.

    Call arguments:
        numbers: float tensor (B, S).
        categories: int tensor (B, C).

    Returns:
        Tensor (B, W).
    """

    def __init__(
        self,
        sizes,
        embedding_dim: int,
        number_dim: int = 0,
        frequencies: int = 1,
        scale: float = 1.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.sizes = list(sizes)
        self.embedding_dim = embedding_dim
        self.number_dim = number_dim
        self.frequencies = frequencies
        self.scale = scale

    def build(self, numbers_shape, categories_shape):
        self.number_embedding = self.category_embedding = None
        policy = self.dtype_policy
        if self.number_dim and numbers_shape[-1]:
            self.number_embedding = PeriodicEmbedding(
                self.number_dim, self.frequencies, self.scale, name="numbers", dtype=policy
            )
            self.number_embedding.build(numbers_shape)
        if self.sizes:
            if self.embedding_dim:
                self.category_embedding = CategoryEmbedding(
                    self.sizes, self.embedding_dim, name="categories", dtype=policy
                )
            else:
                self.category_embedding = OneHotCategories(
                    self.sizes, name="categories", dtype=policy
                )
            self.category_embedding.build(categories_shape)
        self.built = True

    def call(self, numbers, categories):
        parts = []
        if numbers.shape[-1]:
            embed = self.number_embedding
            parts.append(numbers if embed is None else _flat(embed(numbers)))
        if self.category_embedding is not None:
            vectors = self.category_embedding(categories)
            parts.append(_flat(vectors) if self.embedding_dim else vectors)
        return ops.concatenate(parts, axis=-1)

    def compute_output_shape(self, numbers_shape, categories_shape):
        numbers = numbers_shape[-1] * (self.number_dim or 1)
        of_categories = len(self.sizes) * self.embedding_dim or sum(self.sizes)
        return (numbers_shape[0], numbers + of_categories)

    def get_config(self):
        return {
            **super().get_config(),
            "sizes": self.sizes,
            "embedding_dim": self.embedding_dim,
            "number_dim": self.number_dim,
            "frequencies": self.frequencies,
            "scale": self.scale,
        }


def row_vector(config: ModelConfig, sizes) -> RowVector:
    """The layer that a configuration asks for."""
    periodic = config.number_embedding == "periodic"
    return RowVector(
        sizes,
        config.embedding_dim,
        config.number_dim if periodic else 0,
        config.frequencies,
        config.frequency_scale,
        name="row_vector",
    )


def _flat(vectors):
    """(B, C, D) as (B, C D)."""
    return ops.reshape(vectors, (-1, vectors.shape[1] * vectors.shape[2]))
